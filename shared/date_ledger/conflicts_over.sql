-- A manual date that was cleared contradicts nobody, nor one that an RMM says as well. All in step:
-- $1 asset, $2 field, $3 manual date
update date_conflicts c set status = 'gone', settled_at = now()
from unnest($1::uuid[], $2::text[], $3::date[]) as q (asset_id, field, manual_value)
where c.asset_id = q.asset_id and c.field = q.field and c.status = 'open'
    and (q.manual_value is null or c.remote_value is not distinct from q.manual_value)
