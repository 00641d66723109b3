-- One asset as a document. $1 account, $2 asset
select a.*, coalesce(l.last_seen_at, a.changed_at) as last_seen_at, coalesce(l.links, '[]') as links
from assets a
left join lateral (
    select
        max(case when d.state = 'active' then greatest(d.changed_at, i.last_success_at) else d.last_seen_at end)
            as last_seen_at,
        json_agg(json_build_object(
            'integration_id', d.integration_id,
            'integration', i.name,
            'device_id', d.device_id,
            'matched_by', d.matched_by,
            'state', d.state,
            'first_seen_at', d.first_seen_at,
            'last_seen_at',
            case when d.state = 'active' then greatest(d.changed_at, i.last_success_at) else d.last_seen_at end
        ) order by d.id) as links
    from devices d
    join integrations i on i.id = d.integration_id
    where d.asset_id = a.id
) l on true
where a.account_id = $1 and a.id = $2
