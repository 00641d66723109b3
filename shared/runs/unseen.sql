-- Of the integration's devices: how many are active, how many of those this run did not see.
with seen as materialized (
    select unnest(c.keys) as key from sync_chunks c join sync_pages p using (fetch_id) where c.run_id = $1
)
select count(*) filter (where d.state = 'active') as active,
    count(*) filter (where d.state = 'active' and not exists (select from seen s where s.key = d.id)) as unseen
from devices d
where d.integration_id = $2
