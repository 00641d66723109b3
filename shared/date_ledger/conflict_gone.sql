-- Both sides say the same again, or one of them says nothing any more.
update date_conflicts set status = 'gone', settled_at = now()
where integration_id = $1 and device_id = $2 and field = $3 and status = 'open'
