-- The first two computers that the demo's integration sees now. $1 account, $2 integration
select a.id, a.name, a.purchase_date, a.warranty_expiration_date, d.device_id
from assets a
join lateral (
    select device_id from devices where asset_id = a.id and integration_id = $2 and state = 'active' order by id limit 1
) d on true
where a.account_id = $1 and a.state = 'active' and a.asset_type in ('laptop', 'workstation', 'server')
    and a.name is not null
order by lower(a.name), a.id
limit 2
