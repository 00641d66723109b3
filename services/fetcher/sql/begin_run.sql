update sync_runs set status = 'running', started_at = now(), progress_at = now(), announced = 0
where id = $1 and status = 'queued'
returning id
