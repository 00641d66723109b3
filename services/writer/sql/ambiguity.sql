insert into identity_ambiguities (account_id, kind, key, integration_id, device_id, asset_id, other_asset_id)
select $1, s.kind, s.key, $2, s.device_id, s.asset_id, s.other_asset_id
from unnest($3::text[], $4::text[], $5::text[], $6::uuid[], $7::uuid[])
    as s (kind, key, device_id, asset_id, other_asset_id)
on conflict do nothing
