-- Accounts, integrations, sync bookkeeping, assets and devices, outbox, parked messages, audit.
-- Forward only. Hot tables (assets, devices, sync_chunks) carry no foreign keys: a foreign key costs a
-- trigger and a row lock for each device written, and rows here are only ever deleted by the removal of
-- an integration, which does it by name (docs/adr/0004).
set lock_timeout = '5s';

create table accounts (
    id uuid primary key,
    name text not null unique,
    created_at timestamptz not null default now()
);

create table integrations (
    id uuid primary key,
    account_id uuid not null references accounts (id),
    name text not null,
    region text not null check (region in ('na', 'eu', 'au')),
    client_id text not null,
    client_secret_sealed text,
    credentials_version integer not null default 1,
    status text not null default 'never_synced' check (status in
        ('never_synced', 'active', 'paused_credentials', 'paused_quota', 'disabled', 'removed')),
    status_before_disable text,
    reason_code text,
    reason text,
    next_action text,
    sync_every interval not null default interval '1 day',
    next_sync_at timestamptz,
    probe_due_at timestamptz,
    last_success_at timestamptz,
    quirks jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    removed_at timestamptz
);
create unique index integrations_name on integrations (account_id, lower(name)) where status <> 'removed';
create index integrations_due on integrations (next_sync_at) where status in ('never_synced', 'active');

create table companies (
    integration_id uuid not null,
    company_id text not null,
    name text,
    primary key (integration_id, company_id)
);

create table sites (
    integration_id uuid not null,
    site_id text not null,
    company_id text,
    name text,
    primary key (integration_id, site_id)
);

-- One number for each request to an RMM, taken just before it: what was observed later wins.
create sequence observation_seq;

create table sync_runs (
    id uuid primary key,
    account_id uuid not null,
    integration_id uuid not null,
    kind text not null check (kind in ('full', 'company', 'device')),
    target text,
    started_by text not null check (started_by in ('created', 'manual', 'scheduled', 'resumed', 'event')),
    actor text not null,
    correlation_id uuid not null,
    status text not null default 'queued' check (status in ('queued', 'running', 'succeeded',
        'succeeded_with_rejects', 'partial', 'needs_review', 'failed', 'cancelled')),
    reason_code text,
    reason text,
    next_action text,
    requested_at timestamptz not null default now(),
    started_at timestamptz,
    progress_at timestamptz not null default now(),
    finished_at timestamptz,
    announced integer not null default 0,
    seen integer not null default 0,
    created integer not null default 0,
    updated integer not null default 0,
    unchanged integer not null default 0,
    rejected integer not null default 0,
    repeated integer not null default 0,
    missing integer not null default 0,
    archived integer not null default 0
);
create unique index sync_runs_one_running on sync_runs (integration_id) where status in ('queued', 'running');
create index sync_runs_recent on sync_runs (integration_id, requested_at desc);

-- Which request led to which run; a request that came while a run was going has joined it.
create table sync_requests (
    request_id uuid primary key,
    run_id uuid not null references sync_runs (id) on delete cascade,
    joined boolean not null,
    requested_at timestamptz not null default now()
);

create table sync_scopes (
    id uuid primary key,
    run_id uuid not null references sync_runs (id) on delete cascade,
    position integer not null,
    company_ids text[] not null,
    device_id text,
    site_id text,
    status text not null default 'pending' check (status in ('pending', 'listing', 'done', 'failed', 'split')),
    page_no integer not null default 0,
    cursor integer,
    reason_code text,
    reason text,
    progress_at timestamptz not null default now()
);
create index sync_scopes_open on sync_scopes (run_id, position) where status in ('pending', 'listing');
create index sync_scopes_run on sync_scopes (run_id);

create table sync_pages (
    fetch_id uuid primary key,
    run_id uuid not null,
    scope_id uuid not null,
    page_no integer not null,
    devices integer not null,
    chunk_count integer not null,
    recorded_at timestamptz not null default now(),
    unique (scope_id, page_no)
);
create index sync_pages_run on sync_pages (run_id) include (chunk_count, devices, fetch_id);

-- A chunk is written once. keys are devices.id, outcomes one letter for each key:
-- c created, u updated, s same. One array a chunk is 18 bytes a device, a row a device was 185.
create table sync_chunks (
    fetch_id uuid not null,
    chunk_no integer not null,
    run_id uuid not null,
    integration_id uuid not null,
    observed_seq bigint not null,
    keys bigint[] not null default '{}',
    outcomes text not null default '',
    created integer not null default 0,
    updated integer not null default 0,
    unchanged integer not null default 0,
    rejected integer not null default 0,
    repeated integer not null default 0,
    -- A lost chunk was parked: the run goes on without it and ends as partial. Written after all, it is not lost.
    lost boolean not null default false,
    written_at timestamptz not null default now(),
    primary key (fetch_id, chunk_no)
);
create index sync_chunks_run on sync_chunks (run_id);
-- Which chunks were observed later than an old one that comes late: what they saw is newer.
create index sync_chunks_observed on sync_chunks (integration_id, observed_seq);

create table sync_rejects (
    id bigint generated always as identity primary key,
    run_id uuid not null,
    integration_id uuid not null,
    fetch_id uuid not null,
    chunk_no integer not null,
    device_id text,
    reason_code text not null,
    detail text not null,
    vendor text,
    created_at timestamptz not null default now()
);
create index sync_rejects_run on sync_rejects (run_id);

create table assets (
    id uuid primary key,
    account_id uuid not null,
    company_id text,
    company_name text,
    site_id text,
    site_name text,
    name text,
    asset_type text not null default 'unknown',
    manufacturer text,
    manufacturer_normalised text,
    model text,
    serial_number text,
    serial_normalised text,
    operating_system text,
    os_version text,
    processor text,
    memory_bytes bigint,
    storage_bytes bigint,
    mac_addresses text[],
    ip_address text,
    agent_installed_at timestamptz,
    purchase_date date,
    purchase_date_origin text,
    warranty_expiration_date date,
    warranty_expiration_date_origin text,
    state text not null default 'active' check (state in ('active', 'missing', 'archived')),
    version integer not null default 1,
    observed_seq bigint not null,
    serial_key text,
    serial_claim text,
    mac_key text,
    mac_claim text,
    first_seen_at timestamptz not null default now(),
    changed_at timestamptz not null default now()
);
-- Claims are unique: of two writers that meet the same new hardware, one makes the asset and the other finds it.
create unique index assets_serial_claim on assets (account_id, serial_claim) where serial_claim is not null;
create unique index assets_mac_claim on assets (account_id, mac_claim) where mac_claim is not null;

create table devices (
    id bigint generated always as identity primary key,
    integration_id uuid not null,
    device_id text not null,
    account_id uuid not null,
    asset_id uuid not null,
    company_id text,
    site_id text,
    matched_by text not null check (matched_by in ('new', 'serial', 'mac', 'person')),
    content_hash uuid not null,
    observed_seq bigint not null,
    state text not null default 'active' check (state in ('active', 'missing', 'archived')),
    missed_runs smallint not null default 0,
    last_seen_at timestamptz,
    -- json and not jsonb: kept as sent, and jsonb refuses an escaped NUL that a device may well send.
    vendor json not null,
    first_seen_at timestamptz not null default now(),
    changed_at timestamptz not null default now()
);
create unique index devices_link on devices (integration_id, device_id);
create index devices_asset on devices (asset_id);
create index devices_gone on devices (integration_id) where state <> 'active';

create table identity_ambiguities (
    id uuid primary key default gen_random_uuid(),
    account_id uuid not null,
    kind text not null check (kind in ('serial', 'mac')),
    key text not null,
    integration_id uuid not null,
    device_id text not null,
    asset_id uuid not null,
    other_asset_id uuid not null,
    status text not null default 'open' check (status in ('open', 'settled')),
    found_at timestamptz not null default now(),
    unique (integration_id, device_id, kind, key)
);

create table outbox (
    id bigint generated always as identity primary key,
    routing_key text not null,
    body text not null,
    correlation_id text not null,
    created_at timestamptz not null default now(),
    attempts integer not null default 0
);
alter table outbox set (autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0);

create table parked_messages (
    id uuid primary key,
    parked_at timestamptz not null default now(),
    queue text not null,
    message_id text not null,
    event_type text,
    event_id text,
    account_id uuid,
    integration_id uuid,
    correlation_id text,
    reason_code text not null,
    reason text not null,
    next_action text,
    traceback text,
    attempts integer not null default 1,
    first_failed_at timestamptz,
    content_type text,
    headers jsonb not null default '{}',
    body bytea not null,
    status text not null default 'parked' check (status in ('parked', 'retried', 'discarded')),
    times_retried integer not null default 0,
    decided_at timestamptz,
    decided_by text,
    decision_note text,
    unique (queue, message_id)
);
create index parked_messages_open on parked_messages (parked_at desc) where status = 'parked';

create table rmm_tokens (
    integration_id uuid not null,
    scope_set text not null,
    token_sealed text not null,
    credentials_version integer not null,
    minted_at timestamptz not null,
    expires_at timestamptz not null,
    primary key (integration_id, scope_set)
);

create table audit_log (
    id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    account_id uuid,
    actor text not null,
    action text not null,
    object_kind text not null,
    object_id text not null,
    before jsonb,
    after jsonb
);
create index audit_log_object on audit_log (object_kind, object_id, at);

-- A preflight that somebody waits for, and what it found.
create table probes (
    id uuid primary key,
    account_id uuid not null,
    integration_id uuid not null,
    requested_at timestamptz not null default now(),
    finished_at timestamptz,
    result jsonb
);
