-- Nothing is to be written any more; an edit that waited for nothing else stays recorded.
-- $1 integrations, $2 devices, $3 fields (in step)
with ended as (
    update date_pushes p
    set status = 'none', wanted = null, wish_no = p.wish_no + 1, reason_code = null, reason = null, next_action = null,
        changed_at = now()
    from unnest($1::uuid[], $2::text[], $3::text[]) as q (integration_id, device_id, field)
    where p.integration_id = q.integration_id and p.device_id = q.device_id and p.field = q.field
        and p.status in ('waiting', 'writing', 'held', 'failed')
    returning p.integration_id, p.device_id, p.field, p.edit_id
)
update date_edits e
set status = 'recorded', reason_code = null, reason = null, next_action = null, changed_at = now()
where e.id in (select edit_id from ended) and e.status in ('waiting', 'writing', 'held')
    and not exists (
        select from date_pushes p
        where p.edit_id = e.id and p.status <> 'none'
            and (p.integration_id, p.device_id, p.field) not in (select integration_id, device_id, field from ended)
    )
