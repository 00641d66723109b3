-- One row an event, however often it is delivered; where its deliveries say different moments, the earliest counts,
-- whichever came first. An edit is never made after its receipt. Of an edit that is refused at once, why. All in step;
-- $12 when it was made, $15 to $17 why it is refused (nulls where it is taken)
insert into date_edits as e (id, event_source, event_id, correlation_id, account_id, asset_id, asked, field, value, source,
    actor, edited_at, received_at, if_version, around, refused_at_once, status, reason_code, reason, next_action)
select q.id, q.event_source, q.event_id, q.correlation_id, q.account_id, q.asset_id, q.asked::jsonb, q.field, q.value,
    q.source, q.actor, least(q.edited_at, clock_timestamp()), clock_timestamp(), q.if_version, q.around::jsonb,
    q.reason_code is not null, case when q.reason_code is null then 'recorded' else 'refused' end, q.reason_code,
    q.reason, q.next_action
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::date[],
    $10::text[], $11::text[], $12::timestamptz[], $13::int[], $14::text[], $15::text[], $16::text[], $17::text[])
    as q (id, event_source, event_id, correlation_id, account_id, asset_id, asked, field, value, source, actor, edited_at,
        if_version, around, reason_code, reason, next_action)
on conflict (id) do update set edited_at = excluded.edited_at
where excluded.edited_at < e.edited_at and not e.refused_at_once and not excluded.refused_at_once
    and (e.account_id, e.asset_id, e.field, e.source) = (excluded.account_id, excluded.asset_id, excluded.field, excluded.source)
    and e.value is not distinct from excluded.value
returning e.id, e.event_source, e.event_id, e.field, e.source, e.value, e.edited_at, e.around, e.status, e.asset_id,
    e.account_id, e.correlation_id
