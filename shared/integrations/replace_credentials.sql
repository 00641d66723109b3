-- The event is tried at once; where it is lost, the scheduler announces the probe of a paused integration.
update integrations
set client_id = $2, client_secret_sealed = $3, credentials_version = credentials_version + 1,
    probe_due_at = now() + interval '30 seconds', updated_at = now()
where id = $1
returning credentials_version
