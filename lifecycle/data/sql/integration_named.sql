-- By name first, then by id, then by the start of an id.
select id, name, status, reason, next_action,
    case when lower(name) = lower($2) then 1 when id::text = lower($2) then 2 else 3 end as rank
from integrations
where account_id = $1 and status <> 'removed'
    and (lower(name) = lower($2) or id::text = lower($2)
        or (length($2) >= $3 and starts_with(id::text, lower($2))))
order by rank, id
