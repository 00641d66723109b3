-- Integrations whose sync is due; stepped on at once, with jitter, so that tenants spread over the day.
update integrations i
set next_sync_at = now() + i.sync_every * (0.9 + 0.2 * random())
from (
    select id from integrations
    where status in ('never_synced', 'active') and next_sync_at <= now()
    order by next_sync_at
    limit $1
    for update skip locked
) d
where i.id = d.id
returning i.id, i.account_id
