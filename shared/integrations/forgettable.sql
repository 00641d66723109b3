select id, account_id, name from integrations
where status = 'removed' and forgotten_at is null and forget_at <= now()
order by forget_at
limit 1
