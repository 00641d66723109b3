-- The RMMs that have assets ($1) and whose switch for a field ($2, in step) is on, by a look-up for each; whether a
-- date there is or may be ours.
select q.n::int as n, d.integration_id, d.device_id,
    i.status in ('never_synced', 'active') and s.writing_paused_for is distinct from i.credentials_version as writable,
    coalesce(p.ours, false) as ours
from unnest($1::uuid[], $2::text[]) with ordinality as q (asset_id, field, n)
cross join lateral (
    select integration_id, device_id from devices where asset_id = q.asset_id and state <> 'archived' offset 0
) d
join integrations i on i.id = d.integration_id and i.forgotten_at is null
join two_way t on t.integration_id = d.integration_id and t.field = q.field and t.enabled
left join date_settings s on s.integration_id = d.integration_id
left join lateral (
    select written is not null or writing is not null as ours from date_pushes
    where integration_id = d.integration_id and device_id = d.device_id and field = q.field offset 0
) p on true
order by d.integration_id, d.device_id, q.field
