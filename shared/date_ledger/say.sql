-- What sources say by their last edits. A person's new date is not the one that was excluded; another source's is.
-- All in step: $1 asset, $2 field, $3 source, $4 account, $5 value, $6 when it was said, $7 edit
insert into date_observations as o (asset_id, field, source, account_id, value, observed_at, edit_id)
select q.asset_id, q.field, q.source, q.account_id, q.value, coalesce(q.said_at, now()), q.edit_id
from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::date[], $6::timestamptz[], $7::uuid[])
    as q (asset_id, field, source, account_id, value, said_at, edit_id)
on conflict (asset_id, field, source) do update
set value = excluded.value, observed_at = excluded.observed_at, edit_id = excluded.edit_id,
    excluded_at = case when o.source = 'manual' and excluded.value is distinct from o.value then null
        else o.excluded_at end
