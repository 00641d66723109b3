-- Of the integration's devices: how many are active, and which ones this run did not see.
-- Run with nested loops off: the planner knows nothing of unnested arrays and would compare each with each.
with seen as materialized (
    select unnest(c.keys) as key from sync_chunks c join sync_pages p using (fetch_id) where c.run_id = $1
)
select count(*) filter (where d.state = 'active') as active,
    count(*) filter (where d.state = 'active' and s.key is null) as unseen,
    coalesce(array_agg(d.id) filter (where s.key is null), '{}') as gone
from devices d
left join (select distinct key from seen) s on s.key = d.id
where d.integration_id = $2 and d.state <> 'archived'
