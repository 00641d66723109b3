-- Devices by how fresh their dates are, over all integrations that may be used.
select count(*) filter (where r.read_at > clock_timestamp() - s.fresh_for) as fresh, count(*) as devices
from detail_reads r
join detail_sweeps s on s.integration_id = r.integration_id
join integrations i on i.id = r.integration_id and i.status in ('never_synced', 'active')
