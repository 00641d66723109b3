-- What a run comes to where nothing is odd about it, by its chunks' own sums: 93,000 devices in 30 ms, and in 200 ms one
-- by one (balance.sql, unseen.sql).
-- $1 run, $2 integration
with seen as materialized (
    select distinct unnest(c.keys) as key from sync_chunks c join sync_pages p using (fetch_id) where c.run_id = $1
),
off as materialized (
    select id, state from devices where integration_id = $2 and state <> 'active'
)
select
    (select count(*) from seen) as devices,
    (select count(*) from seen join off on off.id = seen.key) as seen_off,
    (select count(*) from devices where integration_id = $2) - (select count(*) from off) as active,
    (select count(*) from off where state = 'missing') as missing,
    count(*) filter (where p.fetch_id is null) as unrecorded,
    coalesce(sum(cardinality(c.keys)), 0) as keys,
    coalesce(sum(c.created), 0) as created,
    coalesce(sum(c.updated), 0) as updated,
    coalesce(sum(c.unchanged), 0) as unchanged,
    coalesce(sum(c.rejected), 0) as rejected,
    coalesce(sum(c.repeated), 0) as repeated
from sync_chunks c left join sync_pages p using (fetch_id)
where c.run_id = $1 and not c.lost
