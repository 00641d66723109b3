-- How long until the first device that is due has waited for its other date; null where none is, or all are in hand.
-- Never longer than that waiting, whatever the clock did. $1 integration, $2 how long a wish waits
select least(greatest(min(d.wished_at) + $2::interval - clock_timestamp(), interval '0'), $2::interval)
from (
    select min(wished_at) as wished_at from date_pushes
    where integration_id = $1 and status in ('waiting', 'writing')
    group by device_id
    having bool_or(next_try_at <= clock_timestamp())
        and not coalesce(bool_or(leased_until > clock_timestamp()), false)
) d
