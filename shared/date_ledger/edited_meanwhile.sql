-- Which dates of devices were edited since they were archived, and are to be written to their RMM: made while the switch
-- was on, or its history asked for. Not that the device's own side of a conflict was taken: that is what stands there.
-- $1 integration, $2 devices, $3 since when each was archived (in step)
select distinct d.device_id, d.asset_id, e.field
from unnest($2::text[], $3::timestamptz[]) as q (device_id, archived_at)
cross join lateral (
    select integration_id, device_id, asset_id from devices where integration_id = $1 and device_id = q.device_id limit 1
) d
cross join lateral (select * from date_edits where asset_id = d.asset_id and not refused_at_once offset 0) e
join two_way t on t.integration_id = $1 and t.field = e.field and t.enabled
where e.received_at > q.archived_at and e.status <> 'refused' and (t.write_history or e.received_at > t.changed_at)
    and not starts_with(e.event_id, d.integration_id || '/' || d.device_id || '/')
