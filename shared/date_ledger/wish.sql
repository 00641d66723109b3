-- A wish in the place of the one before, and in its place in the line: whatever is edited on and on is written too.
-- A lease in force stays: its holder finds another wish_no and looks again.
-- $1 integration, $2 device, $3 field, $4 account, $5 asset, $6 wanted, $7 edit, $8 whether it can be written now
insert into date_pushes as p (integration_id, device_id, field, account_id, asset_id, wanted, edit_id, status, wish_no,
    wished_at, trying_since, next_try_at)
values ($1, $2, $3, $4, $5, $6, $7, case when $8::boolean then 'waiting' else 'held' end, 1, clock_timestamp(),
    clock_timestamp(), clock_timestamp())
on conflict (integration_id, device_id, field) do update
set account_id = excluded.account_id, asset_id = excluded.asset_id, wanted = excluded.wanted,
    edit_id = excluded.edit_id, status = excluded.status, wish_no = p.wish_no + 1,
    wished_at = case when p.status = 'waiting' and p.attempts = 0 then p.wished_at else excluded.wished_at end,
    trying_since = excluded.trying_since, next_try_at = excluded.next_try_at, attempts = 0, rechecks = 0,
    reason_code = null, reason = null, next_action = null, changed_at = now()
