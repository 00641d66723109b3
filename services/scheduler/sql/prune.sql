-- The bookkeeping of old runs: their chunks tell what was seen later than a message that is replayed, so they are kept
-- longer than the journal of pages (one day), and the last three runs of an integration always.
delete from sync_chunks c using (
    select id from (
        select id, finished_at, row_number() over (partition by integration_id order by requested_at desc) as nth
        from sync_runs where finished_at is not null
    ) r
    where nth > 3 and finished_at < now() - interval '3 days'
) old
where c.run_id = old.id
