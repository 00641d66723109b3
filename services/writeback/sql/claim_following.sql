-- What is wished of a device by the time that a write to it was read back: claimed by whoever has that look in hand.
-- Nothing of which a write may be on its way, for that has to be looked at anew; nothing where writing pauses.
-- $1 integration, $2 device, $3 asset, $4 fields that the look showed, $5 lease
with free as (
    select p.field from date_pushes p
    join integrations i on i.id = p.integration_id and i.status in ('never_synced', 'active')
    left join date_settings s on s.integration_id = p.integration_id
    where p.integration_id = $1 and p.device_id = $2 and p.asset_id = $3 and p.field = any($4::text[])
        and s.writing_paused_for is distinct from i.credentials_version
        and p.status = 'waiting' and not p.writing_known and p.next_try_at <= clock_timestamp()
        and (p.leased_until is null or p.leased_until <= clock_timestamp())
    for update of p skip locked
)
update date_pushes p
set lease_no = p.lease_no + 1, leased_until = clock_timestamp() + $5::interval
from free
where p.integration_id = $1 and p.device_id = $2 and p.field = free.field
returning p.field, p.lease_no
