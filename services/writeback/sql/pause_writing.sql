-- The key may not write: writing alone pauses, until another key is entered. $1 integration, $2 to $4 why, $5 of which of
-- its credentials that was said, or null where it is not known: another key may have been entered a moment ago
insert into date_settings (integration_id, writing_paused_for, writing_paused_at, writing_reason_code, writing_reason,
    writing_next_action)
select id, coalesce($5, credentials_version), now(), $2, $3, $4 from integrations where id = $1
on conflict (integration_id) do update
set writing_paused_for = excluded.writing_paused_for, writing_paused_at = excluded.writing_paused_at,
    writing_reason_code = excluded.writing_reason_code, writing_reason = excluded.writing_reason,
    writing_next_action = excluded.writing_next_action
