-- Assets that a word may mean: an id, the start of an id, a serial number, a name, or a device's id in an RMM.
-- The start of an id is a range of ids, so that this branch does not read all assets.
-- $1 account, $2 the word, $3 the word as a serial, $4 and $5 the least and the greatest id that begin so, or null
select id, case when id::text = lower($2) then 1 else 4 end as rank
from assets
where account_id = $1 and id between $4::uuid and $5::uuid
union all
select d.asset_id, 2 from devices d
where d.integration_id in (select id from integrations where account_id = $1) and d.device_id = lower($2)
union all
select id, 3 from assets
where account_id = $1 and $3 <> '' and serial_claim >= $3 || '|' and serial_claim < $3 || '}' and serial_normalised = $3
union all
select id, 3 from assets
where account_id = $1 and $3 <> '' and serial_normalised = $3
    and (serial_claim is null or not starts_with(serial_claim, serial_normalised || '|'))
union all
select id, 5 from assets where account_id = $1 and lower(name) = lower($2)
order by rank, id
limit 20
