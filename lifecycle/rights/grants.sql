-- What each role may do in a deployment: one block a role, and nothing that none of its statements needs. Applied after
-- the migrations, in one transaction, again at each start: a new table has no grants, and a right that is no longer
-- listed goes. tests/integration/test_database_rights.py compares it with the SQL of the code, both ways.
--
-- The owner migrates and is not listed. LISTEN, NOTIFY and advisory locks need no right. A row is only locked
-- (`for update`) with the right to update any of its columns.

revoke create on schema public from public;
revoke all on all tables in schema public from
    lifecycle_fetcher, lifecycle_normalizer, lifecycle_writer, lifecycle_writeback, lifecycle_scheduler, lifecycle_cli,
    lifecycle_keys;
revoke all on all sequences in schema public from
    lifecycle_fetcher, lifecycle_normalizer, lifecycle_writer, lifecycle_writeback, lifecycle_scheduler, lifecycle_cli,
    lifecycle_keys;
revoke all on all functions in schema public from
    lifecycle_fetcher, lifecycle_normalizer, lifecycle_writer, lifecycle_writeback, lifecycle_scheduler, lifecycle_cli,
    lifecycle_keys;
-- Everybody may call a function where nothing is said.
revoke execute on function take_request(uuid, smallint, integer, interval, integer, interval), analyze_fleet() from public;

-- Every program looks at its start whether the database is migrated.
grant select on schema_migrations to
    lifecycle_fetcher, lifecycle_normalizer, lifecycle_writer, lifecycle_writeback, lifecycle_scheduler, lifecycle_cli,
    lifecycle_keys;

-- The normalizer: maps what a message brings, and has nothing to look up or to keep.


-- The fetcher: lists, turns of the sweep of dates, tokens, the budget. What it reads of dates it takes in itself, so it
-- has the date ledger, and the asset's dates with it; it closes runs whose last list it ends.
grant select on integrations to lifecycle_fetcher;
-- Not the sealed secret: it opens secrets, and enters none.
grant update (status, reason_code, reason, next_action, probe_due_at, next_sync_at, last_success_at, quirks, updated_at)
    on integrations to lifecycle_fetcher;
grant select, insert, update on rmm_tokens, request_budgets, companies, sites, sync_scopes to lifecycle_fetcher;
-- Inserted and deleted by take_request, which runs as its caller.
grant select, insert, delete on request_grants to lifecycle_fetcher;
grant usage on sequence observation_seq to lifecycle_fetcher;
grant execute on function take_request(uuid, smallint, integer, interval, integer, interval) to lifecycle_fetcher;
grant select, insert, update on sync_runs to lifecycle_fetcher;
grant select, insert on sync_requests to lifecycle_fetcher;
grant select, insert, delete on sync_pages, outbox to lifecycle_fetcher;
grant select on sync_chunks, two_way, date_settings to lifecycle_fetcher;
grant select, update on probes, detail_sweeps to lifecycle_fetcher;
grant select, insert, update, delete on detail_reads, date_targets to lifecycle_fetcher;
grant select, insert, update on date_observations, date_edits, date_pushes, date_turns, date_conflicts
    to lifecycle_fetcher;
grant select on assets, devices to lifecycle_fetcher;
-- Dates that it has read, and which devices a run that it closes did not see.
grant update (purchase_date, purchase_date_origin, warranty_expiration_date, warranty_expiration_date_origin, state,
    version, changed_at) on assets to lifecycle_fetcher;
grant update (state, missed_runs, last_seen_at, changed_at) on devices to lifecycle_fetcher;
grant execute on function analyze_fleet() to lifecycle_fetcher;

-- The writer: assets, devices, chunks, and the end of a run. The list can bring dates, hence the date ledger.
grant select (id, account_id, status, reason_code, reason, next_action, credentials_version, last_success_at,
    forgotten_at) on integrations to lifecycle_writer;
grant update (status, reason_code, reason, next_action, last_success_at, updated_at) on integrations
    to lifecycle_writer;
grant select, insert, update on assets, devices, sync_chunks to lifecycle_writer;
-- The numbers of devices that it copies in; what is inserted takes its own without this right.
grant usage on sequence devices_id_seq to lifecycle_writer;
grant select, insert, update, delete on identity_ambiguities to lifecycle_writer;
grant insert on sync_rejects to lifecycle_writer;
grant select on sync_pages, sync_scopes, two_way, date_settings to lifecycle_writer;
grant select, update on sync_runs to lifecycle_writer;
grant select, insert, update on date_observations, date_edits, date_pushes, date_turns, date_conflicts
    to lifecycle_writer;
grant select, insert, delete on outbox to lifecycle_writer;
grant execute on function analyze_fleet() to lifecycle_writer;

-- Write-back: the date ledger, tokens, the budget. A rejected key pauses its integration and cancels its run.
grant select on integrations to lifecycle_writeback;
grant update (status, reason_code, reason, next_action, quirks, updated_at) on integrations to lifecycle_writeback;
grant select, insert, update on rmm_tokens, request_budgets to lifecycle_writeback;
grant select, insert, delete on request_grants to lifecycle_writeback;
grant usage on sequence observation_seq to lifecycle_writeback;
grant execute on function take_request(uuid, smallint, integer, interval, integer, interval) to lifecycle_writeback;
grant select on assets, assets_given_up, devices, two_way, sync_pages to lifecycle_writeback;
grant update (purchase_date, purchase_date_origin, warranty_expiration_date, warranty_expiration_date_origin, version,
    changed_at) on assets to lifecycle_writeback;
grant select, insert, update on date_observations, date_edits, date_pushes, date_turns, date_conflicts, date_settings
    to lifecycle_writeback;
grant select, insert, update, delete on date_targets to lifecycle_writeback;
-- Its look at a device is a reading of the sweep too.
grant select, update on detail_reads, sync_runs, sync_scopes to lifecycle_writeback;
grant select, insert, delete on outbox to lifecycle_writeback;

-- The scheduler: the clock, the outbox, parked messages, and the removal of an integration when its time is over. It
-- erases secrets and reads none.
grant select (id, account_id, name, status, reason_code, reason, next_action, credentials_version, sync_every,
    next_sync_at, probe_due_at, last_success_at, forget_at, forgotten_at) on integrations to lifecycle_scheduler;
grant update (client_secret_sealed, status, status_before_disable, reason_code, reason, next_action, next_sync_at,
    probe_due_at, last_success_at, forgotten_at, updated_at) on integrations to lifecycle_scheduler;
grant select (integration_id), delete on rmm_tokens to lifecycle_scheduler;
grant select, insert, update on sync_runs, sync_scopes, parked_messages to lifecycle_scheduler;
grant select, insert on sync_requests to lifecycle_scheduler;
grant select, insert, delete on sync_chunks to lifecycle_scheduler;
grant select, delete on sync_pages, sync_rejects, companies, sites, probes, request_budgets, request_grants, two_way,
    date_settings, date_targets, date_conflicts, date_observations, date_pushes, identity_ambiguities
    to lifecycle_scheduler;
-- Updated only to be locked: of two schedulers each sweeps other rows.
grant select, insert, update, delete on outbox to lifecycle_scheduler;
grant select, insert, update, delete on date_turns, detail_sweeps to lifecycle_scheduler;
grant select, insert, delete on detail_reads to lifecycle_scheduler;
grant select, update on date_edits to lifecycle_scheduler;
grant select, delete on assets, devices to lifecycle_scheduler;
grant update (purchase_date, purchase_date_origin, warranty_expiration_date, warranty_expiration_date_origin, state,
    version, changed_at) on assets to lifecycle_scheduler;
grant update (state, missed_runs, last_seen_at, content_hash, changed_at) on devices to lifecycle_scheduler;
grant insert on audit_log to lifecycle_scheduler;
grant execute on function analyze_fleet() to lifecycle_scheduler;

-- The command: what a person does. It seals secrets with the public key, and reads none. `dates import` has temporary
-- tables of its own, which everybody may have; it removes an integration at once where a person says so.
grant select on accounts to lifecycle_cli;
grant select (id, account_id, name, region, client_id, credentials_version, status, status_before_removal, reason_code,
    reason, next_action, sync_every, next_sync_at, last_success_at, created_at, removed_at, forget_at, forgotten_at),
    insert on integrations to lifecycle_cli;
grant update (name, client_id, client_secret_sealed, credentials_version, status, status_before_disable,
    status_before_removal, reason_code, reason, next_action, next_sync_at, probe_due_at, last_success_at, updated_at,
    removed_at, forget_at, forgotten_at) on integrations to lifecycle_cli;
grant select (integration_id), delete on rmm_tokens to lifecycle_cli;
grant select, insert on audit_log, sync_requests to lifecycle_cli;
grant select, insert, update on sync_runs, replays to lifecycle_cli;
grant select, update on sync_scopes, parked_messages, identity_ambiguities to lifecycle_cli;
grant select, insert, delete on outbox, probes to lifecycle_cli;
grant select, delete on sync_pages, sync_chunks, sync_rejects, companies, sites, request_budgets, request_grants,
    date_targets, detail_reads, detail_sweeps to lifecycle_cli;
grant delete on identity_ambiguities to lifecycle_cli;
grant select, insert, update, delete on two_way, date_settings, date_turns, date_observations, date_pushes
    to lifecycle_cli;
grant select, update, delete on date_conflicts to lifecycle_cli;
grant select, insert, update on date_edits to lifecycle_cli;
grant select, delete on assets, devices to lifecycle_cli;
grant update (purchase_date, purchase_date_origin, warranty_expiration_date, warranty_expiration_date_origin, state,
    version, first_seen_at, changed_at) on assets to lifecycle_cli;
-- A replay of pages into a restored database: what is read later must have the higher numbers.
grant select, update on sequence observation_seq to lifecycle_cli;
-- A device that a person says is the same hardware goes to the other asset.
grant select, insert, update on assets_given_up to lifecycle_cli;
grant update (asset_id, matched_by, state, missed_runs, last_seen_at, content_hash, changed_at) on devices
    to lifecycle_cli;

-- The keys: seals every stored secret anew, and sees nothing else.
grant select (id, account_id, client_secret_sealed), update (client_secret_sealed) on integrations to lifecycle_keys;
grant select (integration_id, scope_set, token_sealed), update (token_sealed) on rmm_tokens to lifecycle_keys;
