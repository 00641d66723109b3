-- What the sweep of dates of an integration has to stand behind. $1 integration, $2 so many of its requests, $3 in any
-- such time, $4 how far a list that is due is seen
select
    (
        select g.granted_at + $3::interval - clock_timestamp()
        from request_grants g
        where g.integration_id = $1 and g.priority = 2 and g.granted_at > clock_timestamp() - $3::interval
        order by g.granted_at desc
        offset $2::int - 1 limit 1
    ) as paced,
    (
        select clock_timestamp() - r.requested_at
        from sync_runs r
        where r.integration_id = $1 and r.status in ('queued', 'running')
    ) as listing_for,
    s.next_sync_at - clock_timestamp() as due_in,
    (
        select count(*)::int
        from sync_pages p
        where p.run_id = (
            select r.id from sync_runs r
            where r.integration_id = $1 and r.kind = 'full'
                and r.status in ('succeeded', 'succeeded_with_rejects', 'partial', 'needs_review')
            order by r.requested_at desc
            limit 1
        )
    ) as pages
from (select 1) one
left join integrations s on s.id = $1 and s.next_sync_at <= clock_timestamp() + $4::interval
