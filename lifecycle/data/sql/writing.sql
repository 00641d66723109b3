-- Who is right in a conflict, and whether writing is paused for the key that is stored now. $1 integration
select coalesce(s.conflict_policy, 'keep_manual') as conflict_policy,
    coalesce(s.writing_paused_for = i.credentials_version, false) as paused,
    s.writing_paused_at as paused_at, s.writing_reason_code as reason_code, s.writing_reason as reason,
    s.writing_next_action as next_action
from integrations i
left join date_settings s on s.integration_id = i.id
where i.id = $1
