-- What a source says by its last edit. A person's new date is not the one that was excluded; another source's is.
-- $1 asset, $2 field, $3 source, $4 account, $5 value, $6 when it was said, $7 edit
insert into date_observations as o (asset_id, field, source, account_id, value, observed_at, edit_id)
values ($1, $2, $3, $4, $5, coalesce($6, now()), $7)
on conflict (asset_id, field, source) do update
set value = excluded.value, observed_at = excluded.observed_at, edit_id = excluded.edit_id,
    excluded_at = case when o.source = 'manual' and excluded.value is distinct from o.value then null
        else o.excluded_at end
