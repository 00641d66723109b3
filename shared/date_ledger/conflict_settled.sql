update date_conflicts set status = $4, settled_at = now(), settled_by = $5
where integration_id = $1 and device_id = $2 and field = $3 and status = 'open'
