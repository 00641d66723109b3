-- A full run is due as soon as the narrower one that goes has ended, however it ends: the clock queues it then, unless
-- the integration may not be used.
update integrations set next_sync_at = now(), updated_at = now()
where id = $1 and (next_sync_at is null or next_sync_at > now())
