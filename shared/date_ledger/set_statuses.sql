-- $1 edits, then for each, in step: status, reason code, reason, next action, the edit that took its place
update date_edits e
set status = q.status, reason_code = q.reason_code, reason = q.reason, next_action = q.next_action,
    superseded_by = q.superseded_by, changed_at = now()
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[])
    as q (id, status, reason_code, reason, next_action, superseded_by)
where e.id = q.id
