-- Links go; so do assets that nobody else sees and nobody edited. What stays shows what is left: the best state of
-- the other links (which dates count then is computed after this). A zero hash makes the next sync of the others write
-- them anew: the columns may still hold what was observed here last.
with gone as (
    delete from devices where integration_id = $1 returning asset_id
),
touched as (
    select distinct g.asset_id as id,
        exists (select from devices o where o.asset_id = g.asset_id and o.integration_id <> $1) as elsewhere
    from gone g
),
deleted as (
    delete from assets a using touched t
    where a.id = t.id and not t.elsewhere
        and not exists (select from date_observations v
            where v.asset_id = a.id and v.source = 'manual' and v.value is not null)
    returning a.id
),
stay as (
    select t.id,
        case
            when exists (select from devices o where o.asset_id = t.id and o.integration_id <> $1
                and o.state = 'active') then 'active'
            when exists (select from devices o where o.asset_id = t.id and o.integration_id <> $1
                and o.state = 'missing') then 'missing'
            else 'archived'
        end as state
    from touched t
    where not exists (select from deleted d where d.id = t.id)
),
shown as (
    update assets a
    set state = s.state,
        version = a.version + 1,
        changed_at = now()
    from stay s
    where a.id = s.id
    returning a.id
),
asked_again as (
    update devices d set content_hash = '00000000-0000-0000-0000-000000000000'
    from stay s
    where d.asset_id = s.id and d.integration_id <> $1
),
settled as (
    delete from identity_ambiguities q
    where q.integration_id = $1
        or q.asset_id in (select id from deleted) or q.other_asset_id in (select id from deleted)
)
select (select count(*) from gone) as devices,
    (select count(*) from deleted) as assets,
    (select count(*) from shown) as kept
