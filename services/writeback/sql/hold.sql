-- Keep what waits until the integration can be written to again. $1 integration, then why.
with chosen as (
    select device_id, field from date_pushes
    where integration_id = $1 and status in ('waiting', 'writing')
        and (leased_until is null or leased_until <= clock_timestamp())
    for update skip locked
)
update date_pushes p
set status = 'held', reason_code = $2, reason = $3, next_action = $4, changed_at = now()
from chosen
where p.integration_id = $1 and p.device_id = chosen.device_id and p.field = chosen.field
returning p.edit_id
