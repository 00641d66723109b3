-- A dead message, kept. Delivered twice it is one row; one that dies again after a retry is a new message and a new row.
-- message_id is its id with a hash of its body ($3): other bodies under one id are other messages, each with its row.
-- The same message again although its row was retried (a publisher that sends its own ids, or none): it is open again.
insert into parked_messages (id, queue, message_id, event_type, event_id, account_id, integration_id, correlation_id,
    reason_code, reason, next_action, traceback, attempts, first_failed_at, content_type, headers, body)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16::text::jsonb, $17)
on conflict (queue, message_id) do update
    set status = 'parked', parked_at = now(), reason_code = excluded.reason_code, reason = excluded.reason,
        next_action = excluded.next_action, traceback = excluded.traceback, attempts = excluded.attempts,
        first_failed_at = excluded.first_failed_at, headers = excluded.headers
    where parked_messages.status = 'retried'
returning id
