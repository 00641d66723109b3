-- The fields of a device whose lease is still ours. $1 integration, $2 device, $3 fields, $4 leases (in step)
select p.*, e.event_id as edit_event_id, e.event_source as edit_source, e.correlation_id,
    e.status as edit_status
from date_pushes p
join unnest($3::text[], $4::bigint[]) as q (field, lease_no) on q.field = p.field and q.lease_no = p.lease_no
left join date_edits e on e.id = p.edit_id
where p.integration_id = $1 and p.device_id = $2 and p.leased_until is not null
order by p.field
for update of p
