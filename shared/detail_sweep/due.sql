-- Integrations with a device to read and no turn on its way. While a list is read the sweep stands aside, for an hour
-- at most: a list that lasts longer goes before it by its priority in the budget.
-- $1 how old a date may be, $2 age at which an announced turn counts as lost, $3 how many at most, $4 this integration alone, or null
with ready as (
    select s.integration_id, i.account_id
    from detail_sweeps s
    join integrations i on i.id = s.integration_id and i.status in ('never_synced', 'active')
    where (s.announced_at is null or s.announced_at < clock_timestamp() - $2::interval)
        and ($4::uuid is null or s.integration_id = $4)
        and (
            (s.not_before <= clock_timestamp()
                and (s.unreadable_until is null or s.unreadable_until <= clock_timestamp()))
            -- What another key could not read says nothing of this one.
            or (s.unreadable_for is not null and s.unreadable_for <> i.credentials_version)
        )
        and not exists (
            select from sync_runs r
            where r.integration_id = s.integration_id and r.status in ('queued', 'running')
                and r.requested_at > clock_timestamp() - interval '1 hour'
        )
        and exists (
            select from detail_reads d
            where d.integration_id = s.integration_id and d.line_at <= clock_timestamp() - $1::interval
                and (d.leased_until is null or d.leased_until <= clock_timestamp())
        )
    order by s.announced_at nulls first
    limit $3
    for update of s skip locked
    for share of i skip locked
)
update detail_sweeps s
set announced_at = clock_timestamp(), fresh_for = $1
from ready
where s.integration_id = ready.integration_id
returning s.integration_id, s.turn_no, ready.account_id
