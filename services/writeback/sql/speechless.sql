-- What the RMM says is our own word now, and has no vote. $1 asset, $2 field, $3 source
update date_observations set value = null, chosen_at = null
where asset_id = $1 and field = $2 and source = $3 and value is not null
