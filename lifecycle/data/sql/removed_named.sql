-- Removed integrations of this name, id or start of an id, the last removed first.
select id, name, status, forget_at, forgotten_at
from integrations
where account_id = $1 and status = 'removed'
    and (lower(name) = lower($2) or id::text = lower($2)
        or (length($2) >= $3 and starts_with(id::text, lower($2))))
order by forgotten_at is not null, removed_at desc, id
