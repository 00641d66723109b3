-- Whether an integration can be written to now, and if not, why. No row: its data has gone, or it never was.
select i.status in ('never_synced', 'active') and s.writing_paused_for is distinct from i.credentials_version as writable,
    case
        when i.status in ('never_synced', 'active') then s.writing_reason_code
        when i.status = 'removed' then 'integration_removed'
        else coalesce(i.reason_code, i.status)
    end as reason_code,
    case
        when i.status in ('never_synced', 'active') then s.writing_reason
        when i.status = 'removed' then 'the integration was removed'
        else coalesce(i.reason, 'the integration is ' || i.status)
    end as reason,
    case
        when i.status in ('never_synced', 'active') then s.writing_next_action
        when i.status = 'removed' then 'nothing; it goes on where the integration is restored'
        else i.next_action
    end as next_action,
    coalesce(s.conflict_policy, 'keep_manual') as conflict_policy
from integrations i
left join date_settings s on s.integration_id = i.id
where i.id = $1 and i.forgotten_at is null
