-- Two assets are one: what stands on the first ($1) goes to the second ($2), and the first is no more. Both are locked,
-- and nobody decided anything about the first that would be lost. What their edits say together is computed after this
-- (shared/date_ledger/joining.py). $3 account, $4 who says so
with moved as (
    -- A zero hash makes the next sync write what it shows: facts of which the newest counts, and claims that came free.
    update devices
    set asset_id = $2, matched_by = 'person', content_hash = '00000000-0000-0000-0000-000000000000'
    where asset_id = $1
),
said as (
    -- Of two devices of one integration the newest that says a date counts, but not against a person's choice.
    insert into date_observations as o (asset_id, field, source, account_id, value, observed_at, observed_seq, edit_id,
        chosen_at)
    select $2, field, source, account_id, value, observed_at, observed_seq, edit_id, chosen_at
    from date_observations where asset_id = $1 and value is not null and source <> 'manual'
    on conflict (asset_id, field, source) do update
    set value = excluded.value, observed_at = excluded.observed_at, observed_seq = excluded.observed_seq,
        edit_id = excluded.edit_id, chosen_at = excluded.chosen_at
    where o.chosen_at is null and (o.value is null or o.observed_seq < excluded.observed_seq)
),
unsaid as (
    delete from date_observations where asset_id = $1
),
edited as (
    update date_edits set asset_id = $2 where asset_id = $1
),
known_as as (
    insert into assets_given_up (asset_id, account_id, kept_as, given_up_by) values ($1, $3, $2, $4)
),
known_before_as as (
    update assets_given_up set kept_as = $2 where kept_as = $1
),
pushed as (
    update date_pushes set asset_id = $2 where asset_id = $1
),
settled as (
    update date_conflicts set asset_id = $2 where asset_id = $1
),
asked as (
    update identity_ambiguities
    set asset_id = case asset_id when $1 then $2 else asset_id end,
        other_asset_id = case other_asset_id when $1 then $2 else other_asset_id end,
        status = case when $1 in (asset_id, other_asset_id) and $2 in (asset_id, other_asset_id) then 'settled'
            else status end
    where asset_id = $1 or other_asset_id = $1
),
gone as (
    delete from assets where id = $1 returning first_seen_at
)
update assets a
set first_seen_at = least(a.first_seen_at, g.first_seen_at),
    state = coalesce(d.state, a.state),
    version = a.version + 1,
    changed_at = now()
from gone g
left join lateral (
    select state from devices where asset_id in ($1, $2)
    order by array_position(array['active', 'missing', 'archived'], state) limit 1
) d on true
where a.id = $2
