-- The end of a run, once: the guard on its status makes a second closer do nothing.
update sync_runs
set status = $2, reason_code = $3, reason = $4, next_action = $5, finished_at = now(), progress_at = now(),
    seen = $6, created = $7, updated = $8, unchanged = $9, rejected = $10, repeated = $11, missing = $12, archived = $13
where id = $1 and status in ('queued', 'running', 'needs_review')
returning integration_id
