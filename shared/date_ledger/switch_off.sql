-- What waits to be written ends; its edits stay recorded. A write that is under way is not called back.
with ended as (
    update date_pushes
    set status = 'none', wanted = null, wish_no = wish_no + 1, changed_at = now()
    where integration_id = $1 and field = $2 and status in ('waiting', 'writing', 'held')
    returning edit_id
)
update date_edits e
set status = 'recorded', reason_code = 'two_way_off', reason = 'writing this date to the RMM was turned off',
    next_action = 'turn it on again, and write the history', changed_at = now()
where e.id in (select edit_id from ended) and e.status in ('waiting', 'writing', 'held')
