insert into date_conflicts (account_id, asset_id, integration_id, device_id, field, manual_value, manual_edit_id,
    remote_value, remote_seq)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (integration_id, device_id, field) where status = 'open' do update
set manual_value = excluded.manual_value, manual_edit_id = excluded.manual_edit_id,
    remote_value = excluded.remote_value, remote_seq = excluded.remote_seq, found_at = now()
