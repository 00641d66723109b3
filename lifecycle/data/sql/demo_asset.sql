-- A computer that the demo's integration sees now. $1 account, $2 integration
select a.id, a.name, a.warranty_expiration_date
from assets a
where a.account_id = $1 and a.state = 'active' and a.asset_type in ('laptop', 'workstation', 'server')
    and a.name is not null
    and exists (select from devices d where d.asset_id = a.id and d.integration_id = $2 and d.state = 'active')
order by lower(a.name), a.id
limit 1
