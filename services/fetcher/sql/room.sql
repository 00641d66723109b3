-- Chunks that are recorded and not yet written: of one integration, and of all; and how many integrations sync.
with waiting as (
    select r.integration_id,
        (select coalesce(sum(p.chunk_count), 0) from sync_pages p where p.run_id = r.id)
        - (select count(*) from sync_chunks c where c.run_id = r.id) as chunks
    from sync_runs r
    where r.status = 'running'
)
select coalesce(sum(chunks) filter (where integration_id = $1), 0)::int as own, coalesce(sum(chunks), 0)::int as total,
    (select count(*) from sync_runs where status in ('queued', 'running'))::int as syncing
from waiting
where chunks > 0
