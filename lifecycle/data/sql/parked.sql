-- Parked messages, newest first. Filters that are null take all. What belongs to no account that we know (a body that
-- nobody could read) is everybody's to see.
-- $1 account, $2 queue, $3 reason code, $4 integration, $5 status, $6 ids, $7 limit
select p.id, p.parked_at, p.queue, p.event_type, p.event_id, p.integration_id, i.name as integration, p.correlation_id,
    p.reason_code, p.reason, p.next_action, p.attempts, p.first_failed_at, p.status, p.times_retried, p.decided_at,
    p.decided_by, p.decision_note, p.content_type, p.headers, octet_length(p.body) as body_bytes,
    p.headers ->> 'x-parked-id' as retried_from
from parked_messages p
left join integrations i on i.id = p.integration_id
where (p.account_id = $1 or p.account_id is null or not exists (select from accounts a where a.id = p.account_id))
    and ($2::text is null or p.queue = $2)
    and ($3::text is null or p.reason_code = $3)
    and ($4::uuid is null or p.integration_id = $4)
    and ($5::text is null or p.status = $5)
    and ($6::uuid[] is null or p.id = any($6))
order by p.parked_at desc, p.id
limit $7
