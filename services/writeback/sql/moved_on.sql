-- The wish is another one by now, or none: give the claim back, and let the newest be looked after at once.
update date_pushes set leased_until = null, next_try_at = clock_timestamp()
where integration_id = $1 and device_id = $2 and field = $3
