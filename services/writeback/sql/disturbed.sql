-- Somebody else holds the claim, and our write may have come after theirs: whatever is wished is looked at again.
update date_pushes
set status = 'waiting', trying_since = clock_timestamp(), next_try_at = clock_timestamp()
where integration_id = $1 and device_id = $2 and field = $3 and status in ('waiting', 'writing', 'written', 'unchanged')
