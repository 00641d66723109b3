-- Put the devices of an integration ($1) in the line that are not in it.
with stamped as (
    update detail_sweeps set seeded_at = clock_timestamp() where integration_id = $1
)
insert into detail_reads (integration_id, device_id)
select d.integration_id, d.device_id
from devices d
where d.integration_id = $1 and d.state <> 'archived'
    and not exists (select from detail_reads r where r.integration_id = $1 and r.device_id = d.device_id)
on conflict do nothing
