-- For devices whose claim stands already: the asset that has it, and whether another active device of the same
-- integration is linked to it.
select i.n::int as n,
    s.id as serial_asset, s.taken as serial_taken,
    m.id as mac_asset, m.taken as mac_taken, m.serial_key as mac_asset_serial_key
from unnest($3::text[], $4::text[]) with ordinality as i (serial_key, mac_key, n)
left join lateral (
    select a.id, exists (select from (select integration_id, state from devices where asset_id = a.id offset 0) d
        where d.integration_id = $2 and d.state = 'active') as taken
    from assets a where a.account_id = $1 and a.serial_claim = i.serial_key limit 1
) s on true
left join lateral (
    select a.id, a.serial_key, exists (select from (select integration_id, state from devices where asset_id = a.id offset 0) d
        where d.integration_id = $2 and d.state = 'active') as taken
    from assets a where a.account_id = $1 and a.mac_claim = i.mac_key limit 1
) m on true
order by i.n
