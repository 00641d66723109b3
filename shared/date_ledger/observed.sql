-- What each source says of assets ($1), by a look-up for each of them.
select o.asset_id, o.field, o.source, o.value, o.excluded_at is not null as excluded, o.chosen_at is not null as chosen
from unnest($1::uuid[]) as q (asset_id)
cross join lateral (select * from date_observations where asset_id = q.asset_id offset 0) o
