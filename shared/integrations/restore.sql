-- As it was, by this name; the unique index on names refuses one that was taken meanwhile.
update integrations
set name = $2, status = status_before_removal, status_before_removal = null, removed_at = null, forget_at = null,
    next_sync_at = now() + sync_every * (0.9 + 0.2 * random()), updated_at = now()
where id = $1
returning id, status, reason_code, reason, next_action, credentials_version
