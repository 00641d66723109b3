-- Two-way dates: what each source says, the ledger of edits, what is to be written to which RMM, and who is right.
set lock_timeout = '5s';

-- What one source says of one field of one asset; the value of the asset is computed from these by the rule.
-- source: manual, lookup:<name> or integration:<id>. A null value is a source that took its word back.
create table date_observations (
    asset_id uuid not null,
    field text not null check (field in ('purchase_date', 'warranty_expiration_date')),
    source text not null,
    account_id uuid not null,
    value date,
    observed_at timestamptz not null default now(),
    observed_seq bigint not null default 0,
    edit_id uuid,
    excluded_at timestamptz,
    excluded_by text,
    -- It won a conflict with a manual date, by a person or by the integration's policy.
    chosen_at timestamptz,
    primary key (asset_id, field, source)
);
create index date_observations_source on date_observations (source) where source like 'integration:%';

-- The ledger: one row for each edit, whatever became of it. The id is made of the event's source and id.
create table date_edits (
    id uuid primary key,
    event_source text not null,
    event_id text not null,
    correlation_id text not null,
    account_id uuid not null,
    asset_id uuid,
    -- As sent: which asset was meant.
    asked jsonb not null default '{}',
    field text not null,
    value date,
    source text not null,
    actor text not null,
    -- Not after its receipt: a clock that runs ahead must not win over true edits.
    edited_at timestamptz not null,
    received_at timestamptz not null,
    if_version integer,
    -- What else was known of the asset at the receipt (shared/dates/replaying.py).
    around jsonb not null default '{}',
    -- Refused for itself: no later edit can change that, so it takes no part in the replay of the others.
    refused_at_once boolean not null default false,
    status text not null default 'recorded' check (status in ('recorded', 'superseded', 'waiting', 'writing', 'written',
        'unchanged', 'refused', 'failed', 'held')),
    reason_code text,
    reason text,
    next_action text,
    superseded_by uuid,
    before date,
    written date,
    attempts integer not null default 0,
    written_at timestamptz,
    changed_at timestamptz not null default now()
);
create index date_edits_asset on date_edits (asset_id) where not refused_at_once;
create index date_edits_recent on date_edits (account_id, received_at desc);

-- What each RMM is to hold, newest wish only, and what is known of what it holds. One row for each field of a device
-- that was ever read or is to be written; an idle row has the status 'none'.
create table date_pushes (
    integration_id uuid not null,
    device_id text not null,
    field text not null,
    account_id uuid not null,
    asset_id uuid not null,
    status text not null default 'none' check (status in ('none', 'waiting', 'writing', 'written', 'unchanged', 'failed',
        'held')),
    reason_code text,
    reason text,
    next_action text,
    wanted date,
    edit_id uuid,
    -- Counts the wishes: a writer that finds another number than it began with has written an old one.
    wish_no bigint not null default 0,
    wished_at timestamptz,
    -- Since when it could be written, pauses not counted.
    trying_since timestamptz,
    next_try_at timestamptz,
    attempts integer not null default 0,
    rechecks integer not null default 0,
    -- Counts the claims: only the holder of the newest may say how it went (fencing).
    lease_no bigint not null default 0,
    leased_until timestamptz,
    -- What is known of the RMM (shared/dates/echo.py); each date comes with whether it is known at all.
    seen date,
    seen_known boolean not null default false,
    seen_seq bigint not null default 0,
    before date,
    before_known boolean not null default false,
    written date,
    written_known boolean not null default false,
    confirmed_seq bigint not null default 0,
    confirmed_at timestamptz,
    writing date,
    writing_known boolean not null default false,
    changed_at timestamptz not null default now(),
    primary key (integration_id, device_id, field)
) with (fillfactor = 80);
create index date_pushes_due on date_pushes (integration_id, next_try_at) where status in ('waiting', 'writing');
create index date_pushes_held on date_pushes (integration_id) where status = 'held';
create index date_pushes_edit on date_pushes (edit_id);
create index date_pushes_asset on date_pushes (asset_id);

-- The switch, off until somebody turns it on.
create table two_way (
    integration_id uuid not null,
    field text not null check (field in ('purchase_date', 'warranty_expiration_date')),
    account_id uuid not null,
    enabled boolean not null default false,
    write_history boolean not null default false,
    changed_at timestamptz not null default now(),
    changed_by text not null,
    primary key (integration_id, field)
);

-- How dates of an integration are handled. Writing pauses alone where the key may not write; credentials_version says
-- for which key, so a new one ends the pause by itself.
create table date_settings (
    integration_id uuid primary key,
    conflict_policy text not null default 'keep_manual' check (conflict_policy in ('keep_manual', 'remote_wins')),
    writing_paused_for integer,
    writing_paused_at timestamptz,
    writing_reason_code text,
    writing_reason text,
    writing_next_action text
);

-- The wake-up of an integration's pushes that is on its way, so that there is one at a time (and not one an edit).
create table date_turns (
    integration_id uuid primary key,
    announced_at timestamptz
);

-- Ids of the custom fields that hold the dates in one tenant.
create table date_targets (
    integration_id uuid not null,
    field text not null,
    attribute_id text not null,
    kind text not null,
    found_at timestamptz not null default now(),
    primary key (integration_id, field)
);

-- A remote change against a manual date; at most one is open for each field of a device.
create table date_conflicts (
    id uuid primary key default gen_random_uuid(),
    account_id uuid not null,
    asset_id uuid not null,
    integration_id uuid not null,
    device_id text not null,
    field text not null,
    manual_value date,
    manual_edit_id uuid,
    remote_value date,
    remote_seq bigint not null,
    found_at timestamptz not null default now(),
    status text not null default 'open' check (status in ('open', 'kept_manual', 'took_remote', 'gone')),
    settled_at timestamptz,
    settled_by text
);
create unique index date_conflicts_open on date_conflicts (integration_id, device_id, field) where status = 'open';
create index date_conflicts_asset on date_conflicts (asset_id);

-- Dates that were read before there were observations.
insert into date_observations (asset_id, field, source, account_id, value, observed_seq)
select id, 'purchase_date', purchase_date_origin, account_id, purchase_date, observed_seq
from assets where purchase_date is not null and purchase_date_origin is not null
union all
select id, 'warranty_expiration_date', warranty_expiration_date_origin, account_id, warranty_expiration_date,
    observed_seq
from assets where warranty_expiration_date is not null and warranty_expiration_date_origin is not null;
