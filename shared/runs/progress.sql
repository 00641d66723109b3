-- Whether anything of the run is still open. Chunks count where their page is recorded; a chunk of a fetch that a
-- crash left unrecorded is written, and counts for nothing.
select
    r.status,
    r.kind,
    r.account_id,
    r.integration_id,
    r.correlation_id,
    i.status as integration_status,
    coalesce(s.total, 0) as scopes,
    coalesce(s.open, 0) as open_scopes,
    coalesce(s.failed, 0) as failed_scopes,
    s.first_failure,
    coalesce(p.chunks, 0) as chunks,
    coalesce(p.devices, 0) as devices,
    coalesce(c.settled, 0) as settled_chunks,
    coalesce(c.lost, 0) as lost_chunks
from sync_runs r
join integrations i on i.id = r.integration_id
left join lateral (
    -- A list that was split is listed by those that it was split into.
    select count(*) filter (where status <> 'split') as total,
        count(*) filter (where status in ('pending', 'listing')) as open,
        count(*) filter (where status = 'failed') as failed,
        (array_agg(reason order by position) filter (where status = 'failed'))[1] as first_failure
    from sync_scopes where run_id = r.id
) s on true
left join lateral (
    select sum(chunk_count) as chunks, sum(devices) as devices from sync_pages where run_id = r.id
) p on true
left join lateral (
    select count(*) as settled, count(*) filter (where c.lost) as lost
    from sync_chunks c join sync_pages q using (fetch_id) where c.run_id = r.id
) c on true
where r.id = $1
