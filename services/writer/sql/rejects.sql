insert into sync_rejects (run_id, integration_id, fetch_id, chunk_no, device_id, reason_code, detail, vendor)
select $1, $2, $3, $4, s.device_id, s.reason_code, s.detail, s.vendor
from unnest($5::text[], $6::text[], $7::text[], $8::text[]) as s (device_id, reason_code, detail, vendor)
