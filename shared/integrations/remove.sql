-- Everything else stays as it is, for whoever restores it.
update integrations
set status_before_removal = status, status = 'removed', removed_at = now(), forget_at = now() + $2::interval,
    updated_at = now()
where id = $1
returning forget_at
