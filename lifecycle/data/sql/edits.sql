-- The ledger, newest receipt first. Filters that are null take all.
-- $1 account, $2 asset, $3 what was asked for instead (an id, serial or device as sent), $4 status, $5 since, $6 actor,
-- $7 event id or ledger id, $8 how many
select e.id as edit_id, e.event_id, e.event_source, e.asset_id, a.name as asset, e.asked, e.field, e.value,
    e.source as origin, e.actor, e.edited_at, e.received_at, e.if_version, e.status, e.reason_code, e.reason,
    e.next_action, e.superseded_by, e.before, e.written, e.written_at, e.attempts, e.changed_at
from date_edits e
left join assets a on a.id = e.asset_id and a.account_id = e.account_id
where e.account_id = $1
    and ($2::uuid is null or e.asset_id = $2)
    and ($3::text is null
        or exists (select from jsonb_each_text(e.asked - 'line') as said where lower(said.value) = lower($3)))
    and ($4::text is null or e.status = $4)
    and ($5::timestamptz is null or e.received_at >= $5)
    and ($6::text is null or lower(e.actor) = lower($6))
    and ($7::text is null or e.event_id = $7 or e.id::text = lower($7))
order by e.received_at desc, e.id
limit $8
