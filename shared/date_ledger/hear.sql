-- What an integration says; what was asked for later counts. An empty field that was never heard of is no row.
insert into date_observations as o (asset_id, field, source, account_id, value, observed_seq)
select $1::uuid, $2::text, $3::text, $4::uuid, $5::date, $6::bigint
where $5::date is not null
    or exists (select from date_observations where asset_id = $1 and field = $2 and source = $3)
on conflict (asset_id, field, source) do update
set value = excluded.value, observed_seq = excluded.observed_seq, observed_at = now(), chosen_at = null
where o.observed_seq <= excluded.observed_seq
