-- How many are parked, by reason and queue, and since when.
-- $1 account, $2 queue, $3 reason code, $4 integration
select reason_code, queue, count(*) as total,
    count(*) filter (where parked_at > now() - interval '1 hour') as last_hour,
    count(*) filter (where parked_at > now() - interval '1 day') as last_day,
    count(*) filter (where parked_at > now() - interval '7 days') as last_week,
    count(*) filter (where headers ? 'x-parked-id') as retried_before,
    max(parked_at) as newest_at,
    (array_agg(next_action order by parked_at desc))[1] as next_action
from parked_messages p
where (p.account_id = $1 or p.account_id is null or not exists (select from accounts a where a.id = p.account_id))
    and p.status = 'parked'
    and ($2::text is null or p.queue = $2)
    and ($3::text is null or p.reason_code = $3)
    and ($4::uuid is null or p.integration_id = $4)
group by reason_code, queue
order by total desc, reason_code, queue
