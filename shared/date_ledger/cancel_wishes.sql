-- Nothing is to be written any more. $1 integrations, $2 devices, $3 fields (in step)
update date_pushes p
set status = 'none', wanted = null, wish_no = p.wish_no + 1, reason_code = null, reason = null, next_action = null,
    changed_at = now()
from unnest($1::uuid[], $2::text[], $3::text[]) as q (integration_id, device_id, field)
where p.integration_id = q.integration_id and p.device_id = q.device_id and p.field = q.field
    and p.status in ('waiting', 'writing', 'held', 'failed')
