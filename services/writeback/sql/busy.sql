-- How many devices of an integration are being written now, and whether another one is due.
select count(*) filter (where d.in_hand) as busy, coalesce(bool_or(d.due and not d.in_hand), false) as due
from (
    select coalesce(bool_or(leased_until > clock_timestamp()), false) as in_hand,
        coalesce(bool_or(next_try_at <= clock_timestamp()), false) as due
    from date_pushes
    where integration_id = $1 and status in ('waiting', 'writing')
    group by device_id
) d
