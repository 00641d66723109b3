-- Integrations with a device that is due and in nobody's hand, or held while what held it is over; without those of
-- which a wake-up is on its way. $1 how many at most, $2 seconds after which a wake-up counts as lost
select i.id as integration_id
from integrations i
left join date_settings s on s.integration_id = i.id
left join date_turns t on t.integration_id = i.id
where i.status in ('never_synced', 'active') and s.writing_paused_for is distinct from i.credentials_version
    and (t.announced_at is null or t.announced_at < clock_timestamp() - $2 * interval '1 second')
    and (
        exists (
            select from date_pushes p
            where p.integration_id = i.id and p.status in ('waiting', 'writing')
                and p.next_try_at <= clock_timestamp()
                and not exists (
                    select from date_pushes o
                    where o.integration_id = p.integration_id and o.device_id = p.device_id
                        and o.status in ('waiting', 'writing') and o.leased_until > clock_timestamp()
                )
        )
        or exists (select from date_pushes p where p.integration_id = i.id and p.status = 'held')
    )
limit $1
