-- Queue a run unless one is going: the unique index on running runs decides between any number of requesters.
insert into sync_runs (id, account_id, integration_id, kind, target, started_by, actor, correlation_id)
select $1, i.account_id, i.id, $3, $4, $5, $6, $7 from integrations i where i.id = $2
on conflict (integration_id) where status in ('queued', 'running') do nothing
returning id
