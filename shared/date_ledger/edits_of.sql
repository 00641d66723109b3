-- All edits of assets ($1) that take part in the replay. A look-up for each asset: joined, a plan that was made while
-- the table was small reads all of it.
select e.id, e.event_source, e.event_id, e.field, e.source, e.value, e.edited_at, e.around, e.status, e.asset_id,
    e.account_id, e.correlation_id
from unnest($1::uuid[]) as q (asset_id)
cross join lateral (select * from date_edits where asset_id = q.asset_id and not refused_at_once offset 0) e
