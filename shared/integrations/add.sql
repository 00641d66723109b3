-- The unique index on names decides between any number of requesters; no row: the name is taken.
insert into integrations (id, account_id, name, region, client_id, client_secret_sealed, next_sync_at)
values ($1, $2, $3, $4, $5, $6, now() + interval '1 day' * (0.9 + 0.2 * random()))
on conflict (account_id, lower(name)) where status <> 'removed' do nothing
returning id
