-- How long until the first of what is due has waited for the other date of its device; null where nothing is due.
-- Never longer than that waiting, whatever the clock did. $1 integration, $2 how long a wish waits
select least(greatest(min(wished_at) + $2::interval - clock_timestamp(), interval '0'), $2)
from date_pushes
where integration_id = $1 and status in ('waiting', 'writing') and next_try_at <= clock_timestamp()
    and (leased_until is null or leased_until <= clock_timestamp())
