-- What is to be written to which RMM, or was; a field that was only ever read has nothing to tell.
select p.field, p.integration_id, i.name as integration, p.device_id, p.status, p.reason_code, p.reason, p.next_action,
    p.wanted, p.attempts, p.next_try_at, p.confirmed_at, p.changed_at
from date_pushes p
join integrations i on i.id = p.integration_id
where p.asset_id = $1 and p.status <> 'none'
order by p.field, i.name, p.device_id
