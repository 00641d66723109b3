update integrations i
set probe_due_at = now() + interval '10 minutes'
from (
    select id from integrations
    where status = 'paused_credentials' and probe_due_at <= now()
    order by probe_due_at
    limit $1
    for update skip locked
) d
where i.id = d.id
returning i.id, i.account_id
