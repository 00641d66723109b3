-- Whoever closes the first run of an integration has the tables analysed, and only their owner may do that: any other
-- role gets a warning and nothing happens (the right MAINTAIN is of Postgres 17). So it is done in the owner's name.
set lock_timeout = '5s';

-- The columns that plans depend on: a sample of all of them, the vendor's JSON too, costs three times as much.
create function analyze_fleet() returns void language plpgsql security definer as $$
begin
    analyze assets (account_id, state, serial_claim, mac_claim, serial_normalised, name),
        devices (integration_id, device_id, asset_id, company_id, state);
end
$$;
-- Its caller may not say which tables those are: the schema of temporary tables, which is looked at first, comes last.
do $$
begin
    execute format('alter function analyze_fleet() set search_path = %I, pg_temp', current_schema());
end
$$;
