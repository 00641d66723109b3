select true from integrations
where id = $1 and status = 'removed' and forgotten_at is null and forget_at <= now()
for update
