-- What people decided about the dates of an asset that is to be given up ($1) and that the one that stays ($2) does not
-- have, and what is on its way to an RMM. No row: nothing stands in the way.
-- A lookup's date goes along where the other asset has none of it; a manual one counts as a person's word about that
-- asset, and is not put on another one behind their back.
select 'differs' as what, g.field, g.source, g.value
from date_observations g
left join date_observations k on k.asset_id = $2 and k.field = g.field and k.source = g.source
where g.asset_id = $1 and g.value is not null and g.source not like 'integration:%'
    and k.value is distinct from g.value and not (g.source <> 'manual' and k.value is null)
union all
select 'excluded', field, source, value from date_observations
where asset_id = $1 and excluded_at is not null
union all
select 'conflict', field, 'integration:' || integration_id, remote_value from date_conflicts
where asset_id = $1 and status = 'open'
union all
select 'pending', field, 'integration:' || integration_id, wanted from date_pushes
where asset_id = $1 and status in ('waiting', 'writing', 'held')
order by 1, 2, 3
limit 1
