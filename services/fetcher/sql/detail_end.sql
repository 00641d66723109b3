-- The turn is over, once. $1 integration, $2 turn, $3 how long the sweep stands still, $4 to $6 why the dates cannot be
-- read with these credentials, or nulls
update detail_sweeps s
set turn_no = s.turn_no + 1, announced_at = null, not_before = clock_timestamp() + $3::interval,
    unreadable_for = case when $4::text is not null then i.credentials_version end,
    unreadable_until = case when $4::text is not null then clock_timestamp() + $3::interval end,
    unreadable_code = $4, unreadable_reason = $5, unreadable_next_action = $6
from integrations i
where s.integration_id = $1 and s.turn_no = $2 and i.id = s.integration_id
returning s.fresh_for
