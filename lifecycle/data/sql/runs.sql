-- Runs as documents: newest first. While a run goes its numbers are what is recorded and written so far.
-- $1 account, $2 integration or null, $3 run or null, $4 limit
select r.*, i.name as integration_name, i.status as integration_status,
    coalesce(s.total, 0) as scopes_total, coalesce(s.done, 0) as scopes_done, coalesce(s.failed, 0) as scopes_failed,
    coalesce(s.companies, 0) as companies_known, coalesce(s.companies_done, 0) as companies_done,
    coalesce(p.pages, 0) as pages, coalesce(p.chunks, 0) as chunks, coalesce(p.devices, 0) as listed,
    coalesce(c.settled, 0) as chunks_settled, coalesce(c.lost, 0) as chunks_lost,
    coalesce(c.created, 0) as so_far_created, coalesce(c.updated, 0) as so_far_updated,
    coalesce(c.unchanged, 0) as so_far_unchanged, coalesce(c.rejected, 0) as so_far_rejected,
    coalesce(c.repeated, 0) as so_far_repeated
from (
    select * from sync_runs
    where account_id = $1 and ($2::uuid is null or integration_id = $2) and ($3::uuid is null or id = $3)
    order by requested_at desc, id
    limit $4
) r
join integrations i on i.id = r.integration_id
left join lateral (
    select count(*) filter (where status <> 'split') as total,
        count(*) filter (where status = 'done') as done,
        count(*) filter (where status = 'failed') as failed,
        sum(cardinality(company_ids)) filter (where status <> 'split') as companies,
        sum(cardinality(company_ids)) filter (where status in ('done', 'failed')) as companies_done
    from sync_scopes where run_id = r.id
) s on true
left join lateral (
    select count(*) as pages, sum(chunk_count) as chunks, sum(devices) as devices from sync_pages where run_id = r.id
) p on true
left join lateral (
    select count(*) as settled, count(*) filter (where lost) as lost, sum(created) as created, sum(updated) as updated,
        sum(unchanged) as unchanged, sum(rejected) as rejected, sum(repeated) as repeated
    from sync_chunks where run_id = r.id
) c on true
order by r.requested_at desc, r.id
