-- $1 account
select
    (select count(*) from outbox) as outbox_waiting,
    (select extract(epoch from now() - min(created_at)) from outbox) as outbox_age_seconds,
    (select count(*) from parked_messages p where p.status = 'parked'
        and (p.account_id = $1 or p.account_id is null or not exists (select from accounts a where a.id = p.account_id))
    ) as parked,
    (select count(*) from identity_ambiguities where account_id = $1 and status = 'open') as ambiguities,
    (select count(*) from assets where account_id = $1) as assets
