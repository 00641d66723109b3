-- Integrations whose sync is due; stepped on at once, with jitter, so that tenants spread over the day. Where a run of one
-- company or one device goes it stays due: the request would join it, and that day's full run would be lost.
update integrations i
set next_sync_at = now() + i.sync_every * (0.9 + 0.2 * random())
from (
    select id from integrations
    where status in ('never_synced', 'active') and next_sync_at <= now()
        and not exists (
            select from sync_runs r
            where r.integration_id = integrations.id and r.status in ('queued', 'running') and r.kind <> 'full'
        )
    order by next_sync_at
    limit $1
    for update skip locked
) d
where i.id = d.id
returning i.id, i.account_id
