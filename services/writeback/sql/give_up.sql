-- What could not be written for too long, with the edit's event. $1 integration, $2 longest age
with chosen as (
    select device_id, field from date_pushes
    where integration_id = $1 and status in ('waiting', 'writing') and trying_since < clock_timestamp() - $2::interval
        and (leased_until is null or leased_until <= clock_timestamp())
    for update skip locked
), given_up as (
    update date_pushes p
    set status = 'failed', reason_code = 'gave_up_' || coalesce(p.reason_code, 'unwritten'),
        reason = 'it could not be written for ' || $2::interval || coalesce(': ' || p.reason, ''),
        next_action = 'solve what kept it from being written, and edit the date again', writing_known = false,
        writing = null, changed_at = now()
    from chosen
    where p.integration_id = $1 and p.device_id = chosen.device_id and p.field = chosen.field
    returning p.*
)
select g.*, e.event_id as edit_event_id, e.event_source as edit_source, e.correlation_id
from given_up g
left join date_edits e on e.id = g.edit_id
