-- Ids and hashes in; what is known of each out, in one row: the places of the new ones, the keys of those that need
-- nothing, and of the changed ones place, key and asset. A row for each device would cost more than to find it.
-- LATERAL and LIMIT keep the planner on the index: a plain join reads the whole integration for every chunk until the
-- table is analysed, which on a first load it never is.
-- A device that a later request already saw is newer than this chunk, also where that request changed nothing; and so
-- is one that has vanished since, by a whole run that was read later.
with answers as (
    select i.n::int as n, d.id, d.asset_id,
        d.content_hash = i.content_hash and d.state = 'active'
        or d.observed_seq > $4
        or case when d.content_hash <> i.content_hash then exists (
            select from sync_chunks c
            where c.integration_id = $1 and c.observed_seq > $4 and c.keys @> array[d.id]
        ) else false end
        or case when d.state <> 'active' then exists (
            select from sync_chunks c join sync_runs r on r.id = c.run_id
            where c.integration_id = $1 and c.observed_seq > $4 and r.kind = 'full'
                and r.status in ('succeeded', 'succeeded_with_rejects')
        ) else false end as stands
    from unnest($2::text[], $3::uuid[]) with ordinality as i (device_id, content_hash, n)
    left join lateral (
        select id, asset_id, content_hash, observed_seq, state from devices
        where integration_id = $1 and device_id = i.device_id limit 1
    ) d on true
)
select coalesce(array_agg(n) filter (where id is null), '{}') as new,
    coalesce(array_agg(id) filter (where stands), '{}') as standing,
    coalesce(array_agg(n) filter (where not stands), '{}') as changed,
    coalesce(array_agg(id) filter (where not stands), '{}') as changed_ids,
    coalesce(array_agg(asset_id) filter (where not stands), '{}') as changed_assets
from answers
