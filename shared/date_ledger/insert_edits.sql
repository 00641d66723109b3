-- One row an event, however often it is delivered. An edit is never made after its receipt. Of an edit that is refused
-- at once, why. All in step; $12 when it was made, $15 to $17 why it is refused (nulls where it is taken)
insert into date_edits (id, event_source, event_id, correlation_id, account_id, asset_id, asked, field, value, source,
    actor, edited_at, received_at, if_version, around, refused_at_once, status, reason_code, reason, next_action)
select q.id, q.event_source, q.event_id, q.correlation_id, q.account_id, q.asset_id, q.asked::jsonb, q.field, q.value,
    q.source, q.actor, least(q.edited_at, clock_timestamp()), clock_timestamp(), q.if_version, q.around::jsonb,
    q.reason_code is not null, case when q.reason_code is null then 'recorded' else 'refused' end, q.reason_code,
    q.reason, q.next_action
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::date[],
    $10::text[], $11::text[], $12::timestamptz[], $13::int[], $14::text[], $15::text[], $16::text[], $17::text[])
    as q (id, event_source, event_id, correlation_id, account_id, asset_id, asked, field, value, source, actor, edited_at,
        if_version, around, reason_code, reason, next_action)
on conflict (id) do nothing
returning id, event_source, event_id, field, source, value, edited_at, around, status, asset_id, account_id, correlation_id
