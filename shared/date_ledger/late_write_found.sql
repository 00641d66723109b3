-- Never silent: what was written over the newest date, and that the newest is written again.
-- $1 account, $2 asset, $3 integration, $4 device, $5 field, $6 value, $7 observation number, $8 settled by
insert into date_conflicts (account_id, asset_id, integration_id, device_id, field, manual_value, manual_edit_id,
    remote_value, remote_seq, status, settled_at, settled_by)
select $1::uuid, $2::uuid, p.integration_id, p.device_id, p.field, p.wanted, p.edit_id, $6::date, $7::bigint,
    'kept_manual', clock_timestamp(), $8::text
from date_pushes p
where p.integration_id = $3 and p.device_id = $4 and p.field = $5
