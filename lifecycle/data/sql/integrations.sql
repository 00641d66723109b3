-- Integrations as documents: those that need a person first.
-- Each column by its name: the command may not read the sealed secret.
-- $1 account, $2 integration or null, $3 whether those that were removed are wanted too
select i.id, i.name, i.region, i.client_id, i.credentials_version, i.status, i.reason_code, i.reason, i.next_action,
    i.sync_every, i.next_sync_at, i.last_success_at, i.created_at, i.removed_at, i.forget_at, i.forgotten_at,
    b.blocked_until as quota_until,
    d.total - g.missing - g.archived as active, g.missing, g.archived,
    (select count(*) from parked_messages p where p.integration_id = i.id and p.status = 'parked') as parked,
    (select count(*) from date_pushes u where u.integration_id = i.id and u.status in ('waiting', 'writing', 'held'))
        as edits_waiting,
    (select count(*) from date_conflicts c where c.integration_id = i.id and c.status = 'open') as conflicts,
    r.id as run_id, r.status as run_status, r.reason as run_reason, r.next_action as run_next_action,
    r.requested_at as run_requested_at, r.finished_at as run_finished_at
from integrations i
left join lateral (
    select * from sync_runs where integration_id = i.id order by requested_at desc limit 1
) r on true
left join request_budgets b
    on b.integration_id = i.id and b.blocked_until > now() and b.blocked_reason = 'quota used up'
cross join lateral (select count(*) as total from devices where integration_id = i.id) d
cross join lateral (
    select count(*) filter (where state = 'missing') as missing, count(*) filter (where state = 'archived') as archived
    from devices where integration_id = i.id and state <> 'active'
) g
where i.account_id = $1 and (i.status <> 'removed' or $3) and ($2::uuid is null or i.id = $2)
order by
    case
        when i.status = 'removed' then 4
        when i.status = 'paused_credentials' or b.blocked_until is not null then 1
        when r.status in ('needs_review', 'failed', 'partial') then 2
        else 3
    end,
    lower(i.name)
