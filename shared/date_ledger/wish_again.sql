-- What could not be written is tried once more, where its switch is on: a wish of its own, by another edit. All in step:
-- $1 asset, $2 field, $3 edit
with failed as (
    select p.integration_id, p.device_id, p.field, q.edit_id,
        i.status in ('never_synced', 'active') and s.writing_paused_for is distinct from i.credentials_version as writable
    from unnest($1::uuid[], $2::text[], $3::uuid[]) as q (asset_id, field, edit_id)
    join date_pushes p on p.asset_id = q.asset_id and p.field = q.field and p.status = 'failed'
    join integrations i on i.id = p.integration_id and i.forgotten_at is null
    join two_way t on t.integration_id = p.integration_id and t.field = p.field and t.enabled
    left join date_settings s on s.integration_id = p.integration_id
)
update date_pushes p
set status = case when failed.writable then 'waiting' else 'held' end, edit_id = failed.edit_id, wish_no = p.wish_no + 1,
    wished_at = clock_timestamp(), trying_since = clock_timestamp(), next_try_at = clock_timestamp(), attempts = 0,
    rechecks = 0, reason_code = null, reason = null, next_action = null, changed_at = now()
from failed
where p.integration_id = failed.integration_id and p.device_id = failed.device_id and p.field = failed.field
returning p.integration_id, p.status
