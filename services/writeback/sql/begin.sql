-- A write is about to be sent: whoever comes after a crash knows what may be on its way.
-- $1 integration, $2 device, $3 field, $4 lease, $5 whether the try before it was none
with begun as (
    update date_pushes set status = 'writing', leased_until = clock_timestamp() + $4::interval, reason_code = null,
        reason = null, next_action = null
    where integration_id = $1 and device_id = $2 and field = $3
    returning edit_id, before
)
update date_edits e set before = b.before, attempts = attempts + (not $5::boolean)::int from begun b where e.id = b.edit_id
