-- A person has spoken since: what won an earlier conflict has no more right than the others.
-- $1 assets, $2 fields (in step)
update date_observations o set chosen_at = null
from unnest($1::uuid[], $2::text[]) as q (asset_id, field)
where o.asset_id = q.asset_id and o.field = q.field and o.chosen_at is not null
