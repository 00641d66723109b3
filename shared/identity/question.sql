-- $1 question, $2 account
select id, kind, key, integration_id, device_id, asset_id, other_asset_id from identity_ambiguities
where id = $1 and account_id = $2 and status = 'open'
