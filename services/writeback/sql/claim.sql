-- The devices that have waited longest, of those that have waited for the other date and that nobody has in hand; each
-- with all that waits of it, also what is not due yet. A claim raises lease_no: older claims of it are void.
-- $1 integration, $2 devices at most, $3 lease, $4 how long a wish waits for the other date of its device
with due as (
    select device_id from date_pushes
    where integration_id = $1 and status in ('waiting', 'writing')
    group by device_id
    having bool_or(next_try_at <= clock_timestamp())
        and not coalesce(bool_or(leased_until > clock_timestamp()), false)
        and coalesce(min(wished_at), '-infinity') <= clock_timestamp() - $4::interval
    order by min(wished_at), device_id
    limit $2
),
free as (
    select p.device_id, p.field from date_pushes p join due on due.device_id = p.device_id
    where p.integration_id = $1 and p.status in ('waiting', 'writing')
        and (p.leased_until is null or p.leased_until <= clock_timestamp())
    for update of p skip locked
),
claimed as (
    update date_pushes p
    set lease_no = p.lease_no + 1, leased_until = clock_timestamp() + $3::interval
    from free
    where p.integration_id = $1 and p.device_id = free.device_id and p.field = free.field
    returning p.integration_id, p.device_id, p.field, p.account_id, p.asset_id, p.lease_no, p.wished_at
)
select c.integration_id, c.device_id, c.account_id, c.asset_id, d.company_id, d.site_id,
    array_agg(c.field order by c.field) as fields, array_agg(c.lease_no order by c.field) as leases
from claimed c
left join devices d on d.integration_id = c.integration_id and d.device_id = c.device_id
group by c.integration_id, c.device_id, c.account_id, c.asset_id, d.company_id, d.site_id
order by min(c.wished_at), c.device_id
