-- Wishes in the place of those before, and in their place in the line: what is edited on and on is written too.
-- A lease in force stays: its holder finds another wish_no and looks again. All in step:
-- $1 integration, $2 device, $3 field, $4 account, $5 asset, $6 wanted, $7 edit, $8 whether it can be written now
insert into date_pushes as p (integration_id, device_id, field, account_id, asset_id, wanted, edit_id, status, wish_no,
    wished_at, trying_since, next_try_at)
select q.integration_id, q.device_id, q.field, q.account_id, q.asset_id, q.wanted, q.edit_id,
    case when q.writable then 'waiting' else 'held' end, 1, clock_timestamp(), clock_timestamp(), clock_timestamp()
from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::uuid[], $6::date[], $7::uuid[], $8::boolean[])
    as q (integration_id, device_id, field, account_id, asset_id, wanted, edit_id, writable)
on conflict (integration_id, device_id, field) do update
set account_id = excluded.account_id, asset_id = excluded.asset_id, wanted = excluded.wanted,
    edit_id = excluded.edit_id, status = excluded.status, wish_no = p.wish_no + 1,
    wished_at = case when p.status = 'waiting' and p.attempts = 0 then p.wished_at else excluded.wished_at end,
    trying_since = excluded.trying_since, next_try_at = excluded.next_try_at, attempts = 0, rechecks = 0,
    reason_code = null, reason = null, next_action = null, changed_at = now()
