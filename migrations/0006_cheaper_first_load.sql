-- What a first load pays for each device, less (docs/adr/0023): keys are compared as bytes and not by a language's rules,
-- long values are packed by the faster of Postgres' two ways, and assets are found by serial with a small index.
set lock_timeout = '5s';

-- Nobody sorts by these for people to read. The indexes over them are made anew.
alter table devices alter device_id type text collate "C";
-- An index of another collation would be of no use in a join with them.
alter table detail_reads alter device_id type text collate "C";
alter table date_pushes alter device_id type text collate "C";
alter table date_conflicts alter device_id type text collate "C";
alter table identity_ambiguities alter device_id type text collate "C", alter key type text collate "C";
alter table sync_scopes alter device_id type text collate "C";
alter table sync_rejects alter device_id type text collate "C";
alter table assets
    alter serial_key type text collate "C",
    alter serial_claim type text collate "C",
    alter mac_key type text collate "C",
    alter mac_claim type text collate "C",
    alter serial_normalised type text collate "C";

-- An asset with a claim is found by that, which begins with its serial; only the others stand in this index. An edit that
-- names a serial still reads no other asset, and a first load writes an index less.
drop index assets_serial;
create index assets_serial on assets (account_id, serial_normalised)
    where serial_normalised is not null
        and (serial_claim is null or not starts_with(serial_claim, serial_normalised || '|'));

do $$
begin
    alter table devices alter vendor set compression lz4;
    alter table outbox alter body set compression lz4;
    alter table sync_chunks alter keys set compression lz4, alter outcomes set compression lz4;
exception when feature_not_supported then
    raise notice 'this Postgres was built without lz4: long values are packed as before';
end
$$;
