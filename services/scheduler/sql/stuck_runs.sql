-- Running runs without progress: no page, no scope and no chunk since; each time it is told again, twice as patient.
update sync_runs r
set announced = r.announced + 1
from (
    select q.id from sync_runs q
    where q.status in ('queued', 'running')
        and greatest(
            q.progress_at,
            (select max(s.progress_at) from sync_scopes s where s.run_id = q.id),
            (select max(c.written_at) from sync_chunks c where c.run_id = q.id)
        ) < now() - $1 * interval '1 second' * (2 ^ least(q.announced, 10))
    for update skip locked
) stuck
where r.id = stuck.id
returning r.id, r.status, r.announced, r.account_id, r.integration_id, r.kind, r.target, r.correlation_id
