update date_edits
set status = $2, reason_code = $3, reason = $4, next_action = $5, superseded_by = $6, changed_at = now()
where id = $1
