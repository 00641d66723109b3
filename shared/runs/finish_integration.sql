update integrations
set status = case when status = 'never_synced' then 'active' else status end,
    reason_code = case when status in ('never_synced', 'active') then null else reason_code end,
    reason = case when status in ('never_synced', 'active') then null else reason end,
    next_action = case when status in ('never_synced', 'active') then null else next_action end,
    last_success_at = now(),
    updated_at = now()
where id = $1
