-- Assets by their serial number; three of one are enough to tell that there is more than one. Those whose claim begins with
-- the serial stand in the index of claims, the others in one of their own: each condition is written as there.
-- $1 accounts, $2 serial numbers (in step)
select q.n::int as n, a.id, a.state
from unnest($1::uuid[], $2::text[]) with ordinality as q (account_id, serial, n)
cross join lateral (
    select id, state from (
        select id, state from assets
        where account_id = q.account_id and serial_claim >= q.serial || '|' and serial_claim < q.serial || '}'
            and serial_normalised = q.serial
        union all
        select id, state from assets
        where account_id = q.account_id and serial_normalised = q.serial
            and (serial_claim is null or not starts_with(serial_claim, serial_normalised || '|'))
    ) either
    order by state = 'archived', id limit 3
) a
