update sync_runs
set status = $2, reason_code = $3, reason = $4, next_action = $5, finished_at = now(), progress_at = now()
where id = $1 and status in ('queued', 'running')
returning account_id, integration_id, correlation_id
