-- Assets by their serial number; three of one are enough to tell that there is more than one.
-- $1 accounts, $2 serial numbers (in step)
select q.n::int as n, a.id, a.state
from unnest($1::uuid[], $2::text[]) with ordinality as q (account_id, serial, n)
cross join lateral (
    select id, state from assets where account_id = q.account_id and serial_normalised = q.serial
    order by state = 'archived', id limit 3
) a
