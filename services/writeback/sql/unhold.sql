-- What was held goes on, with its whole time before it; the newest wish of each field, for there is no other.
with chosen as (
    select device_id, field from date_pushes where integration_id = $1 and status = 'held' for update skip locked
)
update date_pushes p
set status = 'waiting', trying_since = clock_timestamp(), next_try_at = clock_timestamp(), attempts = 0, rechecks = 0,
    reason_code = null, reason = null, next_action = null, changed_at = now()
from chosen
where p.integration_id = $1 and p.device_id = chosen.device_id and p.field = chosen.field
returning p.edit_id
