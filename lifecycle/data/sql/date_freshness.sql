-- Of how many devices the dates were read lately, by integration; archived devices are not read.
-- $1 account, $2 integration or null
select i.id as integration_id, d.total - g.archived as devices, r.fresh, r.read,
    extract(epoch from coalesce(s.fresh_for, interval '1 day'))::int as within_seconds,
    case when u.stops then s.unreadable_code end as reason_code, case when u.stops then s.unreadable_reason end as reason,
    case when u.stops then s.unreadable_next_action end as next_action
from integrations i
left join detail_sweeps s on s.integration_id = i.id
cross join lateral (
    select s.unreadable_until > now() and s.unreadable_for = i.credentials_version as stops
) u
cross join lateral (select count(*) as total from devices where integration_id = i.id) d
cross join lateral (
    select count(*) as archived from devices where integration_id = i.id and state = 'archived'
) g
cross join lateral (
    select count(*) filter (where x.read_at > now() - s.fresh_for) as fresh, count(x.read_at) as read
    from detail_reads x
    where x.integration_id = i.id
        and not exists (
            select from devices a
            where a.integration_id = i.id and a.device_id = x.device_id and a.state = 'archived'
        )
) r
where i.account_id = $1 and i.status <> 'removed' and ($2::uuid is null or i.id = $2)
