-- Devices that were claimed and not tried keep their places. $1 integration, $2 devices, $3 the ends of their claims
update detail_reads r
set leased_until = null, claims = r.claims - 1
from unnest($2::text[], $3::timestamptz[]) as given (device_id, leased_until)
where r.integration_id = $1 and r.device_id = given.device_id and r.leased_until = given.leased_until
