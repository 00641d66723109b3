-- One that a person said to be the same machine as another is that one. $1 accounts, $2 assets (in step)
select q.n::int as n, a.id, a.state
from unnest($1::uuid[], $2::uuid[]) with ordinality as q (account_id, asset_id, n)
left join assets_given_up g on g.asset_id = q.asset_id
cross join lateral (
    select id, state from assets where id = coalesce(g.kept_as, q.asset_id) and account_id = q.account_id offset 0
) a
