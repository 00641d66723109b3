-- What a complete run did not see: active -> missing -> archived after $3 complete runs in a row. Never deleted.
with judged as (
    update devices d
    set missed_runs = d.missed_runs + 1,
        state = case when d.missed_runs + 1 >= $3 then 'archived' else 'missing' end,
        last_seen_at = coalesce(d.last_seen_at, (select last_success_at from integrations where id = $2), d.changed_at),
        changed_at = now()
    where d.id = any($1::bigint[]) and d.integration_id = $2
    returning d.id, d.asset_id, d.state
),
best as (
    -- The other links of the same asset, of this integration too: a machine that was enrolled anew has two. The judged
    -- rows are seen here as they were before this statement.
    select j.asset_id,
        case
            when exists (select from devices o where o.asset_id = j.asset_id and o.state = 'active'
                and o.id not in (select id from judged)) then 'active'
            when bool_or(j.state = 'missing') then 'missing'
            else 'archived'
        end as state
    from judged j
    group by j.asset_id
),
assets_judged as (
    update assets a set state = b.state, version = a.version + 1, changed_at = now()
    from best b where a.id = b.asset_id and a.state <> b.state
    returning a.id
)
select count(*) filter (where state = 'missing') as missing,
    count(*) filter (where state = 'archived') as archived,
    (select count(*) from assets_judged) as assets
from judged
