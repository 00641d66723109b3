-- Claim the next devices of the line, where the turn is still the current one and no list is being read: first who was
-- asked for, then who has an edit that waits, then never read, then longest unread.
-- $1 integration, $2 turn, $3 lease, $4 devices at most
with sweep as (
    update detail_sweeps s set announced_at = clock_timestamp()
    from integrations i
    where s.integration_id = $1 and s.turn_no = $2 and i.id = s.integration_id
        and i.status in ('never_synced', 'active')
        and not exists (
            select from sync_runs r
            where r.integration_id = $1 and r.status in ('queued', 'running')
                and r.requested_at > clock_timestamp() - interval '1 hour'
        )
    returning clock_timestamp() - s.fresh_for as horizon
),
pending as (
    (select p.device_id from date_pushes p
    where p.integration_id = $1 and p.status in ('waiting', 'writing') order by p.next_try_at limit 200)
    union
    (select p.device_id from date_pushes p where p.integration_id = $1 and p.status = 'held' limit 200)
),
candidates as (
    (select r.device_id, r.line_at, case when r.line_at = '-infinity' then 0 else 2 end as rank
    from detail_reads r
    where r.integration_id = $1 and r.line_at <= (select horizon from sweep)
        and (r.leased_until is null or r.leased_until <= clock_timestamp())
    order by r.line_at, r.device_id limit $4)
    union all
    select r.device_id, r.line_at, 1
    from pending p
    join detail_reads r on r.integration_id = $1 and r.device_id = p.device_id
    where r.line_at <= (select horizon from sweep)
        and (r.leased_until is null or r.leased_until <= clock_timestamp())
),
chosen as (
    select device_id, min(rank) as rank, min(line_at) as line_at
    from candidates group by device_id
    order by min(rank), min(line_at), device_id
    limit $4
),
free as (
    select r.device_id, c.rank, c.line_at
    from chosen c
    join detail_reads r on r.integration_id = $1 and r.device_id = c.device_id
    where r.leased_until is null or r.leased_until <= clock_timestamp()
    for update of r skip locked
),
claimed as (
    update detail_reads r
    set leased_until = clock_timestamp() + $3::interval, claims = r.claims + 1,
        -- Claimed again and again, and never ended: whoever reads it dies of it.
        line_at = case when r.claims >= 2 then clock_timestamp() else r.line_at end
    from free
    where r.integration_id = $1 and r.device_id = free.device_id
    returning r.device_id, r.leased_until, free.rank, free.line_at
)
select c.device_id, c.leased_until, d.company_id, d.site_id, d.device_id is null as gone, c.rank = 0 as asked
from claimed c
left join devices d on d.integration_id = $1 and d.device_id = c.device_id and d.state <> 'archived'
order by c.rank, c.line_at, c.device_id
