-- The RMM may hold an older date of ours: what is wished is looked at again. A claim in force is left alone, for its
-- holder has a look of its own before it. $1 integration, $2 device, $3 field
update date_pushes
set status = 'waiting', trying_since = clock_timestamp(), next_try_at = clock_timestamp(), attempts = 0, rechecks = 0
where integration_id = $1 and device_id = $2 and field = $3 and status in ('waiting', 'writing', 'written', 'unchanged')
