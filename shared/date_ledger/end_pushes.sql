with ended as (
    delete from date_pushes where integration_id = $1 returning edit_id, status
)
update date_edits e
set status = 'recorded', reason_code = 'integration_removed', reason = 'the integration was removed', next_action = null,
    changed_at = now()
where e.id in (select edit_id from ended where status in ('waiting', 'writing', 'held'))
    and e.status in ('waiting', 'writing', 'held')
    and not exists (select from date_pushes p where p.edit_id = e.id and p.integration_id <> $1)
