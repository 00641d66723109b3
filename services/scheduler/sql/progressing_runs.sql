-- A run that goes on again begins its patience anew. Only a written chunk is progress: a list that the reaper started
-- itself, or a page that is read again and again, would keep a run without end alive.
update sync_runs r
set announced = 0
where r.status = 'running' and r.announced > 0
    and exists (
        select from sync_chunks c
        where c.run_id = r.id and not c.lost and c.written_at > now() - $1 * interval '1 second'
    )
