-- Returns the account where a wake-up is to be sent; none where one is on its way. Locks the turn either way.
insert into date_turns as t (integration_id, announced_at)
select id, clock_timestamp() from integrations where id = $1
on conflict (integration_id) do update set announced_at = clock_timestamp()
    where t.announced_at is null or t.announced_at < clock_timestamp() - $2 * interval '1 second'
returning (select account_id from integrations i where i.id = t.integration_id)
