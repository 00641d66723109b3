-- How a push went. $1 integration, $2 device, $3 field, $4 status, $5 code, $6 reason, $7 next action,
-- $8 when to try again (null: never), $9 attempts to add, $10 rechecks to add
update date_pushes
set status = $4, reason_code = $5, reason = $6, next_action = $7, leased_until = null,
    next_try_at = case when $8::interval is null then null else clock_timestamp() + $8::interval end,
    attempts = attempts + $9, rechecks = rechecks + $10, confirmed_at = case when $4 = 'written' then clock_timestamp()
        else confirmed_at end,
    changed_at = now()
where integration_id = $1 and device_id = $2 and field = $3
