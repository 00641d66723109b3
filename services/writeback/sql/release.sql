-- Give claims back untried. $1 integration, $2 devices, $3 fields, $4 leases (all three in step), $5 how long to wait
update date_pushes p set leased_until = null, next_try_at = clock_timestamp() + $5::interval
from unnest($2::text[], $3::text[], $4::bigint[]) as q (device_id, field, lease_no)
where p.integration_id = $1 and p.device_id = q.device_id and p.field = q.field and p.lease_no = q.lease_no
