-- A newer look at what we know; a write that began meanwhile has its own look.
update date_pushes set seen = $4, seen_seq = $5, changed_at = now()
where integration_id = $1 and device_id = $2 and field = $3 and seen_seq < $5 and not writing_known
