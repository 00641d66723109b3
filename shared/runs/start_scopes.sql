-- Let the next scopes list, so that at most $2 of the run do at once: no tenant fills the queue.
update sync_scopes s set status = 'listing', progress_at = now()
from (
    select id from sync_scopes
    where run_id = $1 and status = 'pending'
    order by position
    limit greatest($2 - (select count(*) from sync_scopes where run_id = $1 and status = 'listing'), 0)
    for update skip locked
) n
where s.id = n.id
returning s.id, s.turn_page
