-- Returns the integrations, of $1, to which a wake-up is to be sent; not those to which one is on its way for less than
-- $2 seconds. Locks the turns either way, in the order of their ids.
insert into date_turns as t (integration_id, announced_at)
select id, clock_timestamp() from integrations where id = any($1::uuid[]) order by id
on conflict (integration_id) do update set announced_at = clock_timestamp()
    where t.announced_at is null or t.announced_at < clock_timestamp() - $2 * interval '1 second'
returning t.integration_id, (select account_id from integrations i where i.id = t.integration_id)
