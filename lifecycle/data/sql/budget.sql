-- Requests of the last five minutes, and until when the RMM itself asked us to wait.
select
    (select count(*) from request_grants where integration_id = $1 and granted_at > now() - interval '5 minutes')
        as in_five_minutes,
    (select nullif(blocked_until, '-infinity') from request_budgets
        where integration_id = $1 and blocked_until > now()) as blocked_until,
    (select blocked_reason from request_budgets where integration_id = $1 and blocked_until > now()) as blocked_reason
