-- Whatever it was before: where the key is still rejected, its first request pauses it again and says so.
update integrations
set status = case when last_success_at is null then 'never_synced' else 'active' end,
    status_before_disable = null, reason_code = null, reason = null, next_action = null,
    next_sync_at = now() + sync_every * (0.9 + 0.2 * random()), updated_at = now()
where id = $1
returning status
