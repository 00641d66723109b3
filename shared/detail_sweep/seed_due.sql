-- Integrations of which a run ended since their devices were last put in the line; once more half a minute later, for
-- a run's end carries the time at which its transaction began. $1 how many at most
select s.integration_id
from detail_sweeps s
join integrations i on i.id = s.integration_id and i.status in ('never_synced', 'active')
where s.seeded_at is null
    or exists (
        select from sync_runs r
        where r.integration_id = s.integration_id
            and (r.finished_at >= s.seeded_at
                or (s.seeded_at < clock_timestamp() - interval '30 seconds'
                    and r.finished_at >= s.seeded_at - interval '1 minute'))
    )
limit $1
for update of s skip locked
for share of i skip locked
