-- A removed integration keeps its data for a while, in which it can be restored; assets by serial; a function that
-- nobody calls any more goes.
set lock_timeout = '5s';

alter table integrations
    -- What it comes back to when it is restored.
    add column status_before_removal text,
    -- When the data of a removed integration goes, and when it went.
    add column forget_at timestamptz,
    add column forgotten_at timestamptz;
update integrations set forgotten_at = coalesce(removed_at, now()) where status = 'removed';
create index integrations_forgettable on integrations (forget_at) where status = 'removed' and forgotten_at is null;

-- An edit that names a serial reads no other asset: 0.1 ms and not 18 ms at 100,000 assets (docs/adr/0004).
create index assets_serial on assets (account_id, serial_normalised) where serial_normalised is not null;

drop function block_requests(uuid, interval, text);
