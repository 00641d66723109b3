update integrations
set status_before_disable = status, status = 'disabled', reason_code = 'disabled', reason = $2,
    next_action = 'enable it: it catches up by itself', updated_at = now()
where id = $1
