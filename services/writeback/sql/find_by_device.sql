-- Assets by a device that is linked to them. $1 accounts, $2 integrations, $3 devices (in step)
select q.n::int as n, d.asset_id as id, d.state
from unnest($1::uuid[], $2::uuid[], $3::text[]) with ordinality as q (account_id, integration_id, device_id, n)
cross join lateral (
    select asset_id, state from devices
    where integration_id = q.integration_id and device_id = q.device_id and account_id = q.account_id offset 0
) d
