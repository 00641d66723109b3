-- The turn is over, once. $1 integration, $2 turn, $3 how long the sweep stands still, $4 to $6 why the dates cannot be
-- read, and $7 with which credentials that was met, or nulls: others may have been entered while the turn went on
update detail_sweeps s
set turn_no = s.turn_no + 1, announced_at = null, not_before = clock_timestamp() + $3::interval,
    unreadable_for = $7::int,
    unreadable_until = case when $4::text is not null then clock_timestamp() + $3::interval end,
    unreadable_code = $4, unreadable_reason = $5, unreadable_next_action = $6
where s.integration_id = $1 and s.turn_no = $2
returning s.fresh_for
