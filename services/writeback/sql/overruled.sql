-- A change in the RMM that a pending manual date overruled: never silent. Twice is once, by the request's number.
-- $1 account, $2 asset, $3 integration, $4 device, $5 field, $6 manual, $7 edit, $8 remote, $9 observation number
insert into date_conflicts (account_id, asset_id, integration_id, device_id, field, manual_value, manual_edit_id,
    remote_value, remote_seq, status, settled_at, settled_by)
select $1::uuid, $2::uuid, $3::uuid, $4::text, $5::text, $6::date, $7::uuid, $8::date, $9::bigint, 'kept_manual', now(),
    'policy keep_manual'
where not exists (
    select from date_conflicts
    where integration_id = $3 and device_id = $4 and field = $5 and remote_seq = $9
)
