-- To the front of the line: a device ($2) of an integration ($1) that somebody asked for. Whoever is reading it now asked
-- before that, so its claim ends.
with now_due as (
    update detail_sweeps set not_before = '-infinity' where integration_id = $1
)
insert into detail_reads (integration_id, device_id, line_at)
select d.integration_id, d.device_id, '-infinity'
from devices d
where d.integration_id = $1 and d.device_id = $2
on conflict (integration_id, device_id) do update set line_at = '-infinity', leased_until = null
