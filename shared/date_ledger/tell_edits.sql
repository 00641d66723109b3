-- How edits stand, from their pushes; with the reason of the push that decides.
with decisive as (
    select distinct on (edit_id) edit_id, status, reason_code, reason, next_action
    from date_pushes
    where edit_id = any($1::uuid[]) and status <> 'none'
    order by edit_id, array_position(array['failed', 'held', 'writing', 'waiting', 'written', 'unchanged'], status)
)
update date_edits e
set status = d.status, reason_code = d.reason_code, reason = d.reason, next_action = d.next_action, changed_at = now()
from decisive d
where e.id = d.edit_id and e.status not in ('superseded', 'refused')
    and (e.status, e.reason_code) is distinct from (d.status, d.reason_code)
