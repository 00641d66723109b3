-- How many devices of an integration are being written now, and whether more are due.
select count(distinct device_id) filter (where leased_until > clock_timestamp()) as busy,
    coalesce(bool_or(next_try_at <= clock_timestamp() and (leased_until is null or leased_until <= clock_timestamp())),
        false) as due
from date_pushes
where integration_id = $1 and status in ('waiting', 'writing')
