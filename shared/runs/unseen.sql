-- Of the integration's devices (of a company run: the company's): how many are active, and which ones this run did
-- not see. What was written after the run ended is no longer gone: a review may be accepted after another run.
-- Run with nested loops off: the planner knows nothing of unnested arrays and would compare each with each.
with seen as materialized (
    select unnest(c.keys) as key from sync_chunks c join sync_pages p using (fetch_id) where c.run_id = $1
    union all
    select unnest(c.keys) from sync_chunks c
    where c.integration_id = $2 and c.written_at > (select finished_at from sync_runs where id = $1)
)
select count(*) filter (where d.state = 'active') as active,
    count(*) filter (where d.state = 'active' and s.key is null) as unseen,
    coalesce(array_agg(d.id) filter (where s.key is null), '{}') as gone
from devices d
left join (select distinct key from seen) s on s.key = d.id
where d.integration_id = $2 and d.state <> 'archived'
    and ((select kind from sync_runs where id = $1) <> 'company'
        or d.company_id in (select unnest(company_ids) from sync_scopes where run_id = $1))
