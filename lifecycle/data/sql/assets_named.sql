-- Assets that a word may mean: an id, the start of an id, a serial number, a name, or a device's id in an RMM.
-- $1 account, $2 the word, $3 the word as a serial, $4 least length of the start of an id
select id, 1 as rank from assets where account_id = $1 and id::text = lower($2)
union all
select d.asset_id, 2 from devices d
where d.integration_id in (select id from integrations where account_id = $1) and d.device_id = lower($2)
union all
select id, 3 from assets where account_id = $1 and $3 <> '' and serial_normalised = $3
union all
select id, 4 from assets where account_id = $1 and length($2) >= $4 and starts_with(id::text, lower($2))
union all
select id, 5 from assets where account_id = $1 and lower(name) = lower($2)
order by rank, id
limit 20
