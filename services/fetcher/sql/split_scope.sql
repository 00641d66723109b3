-- The RMM refuses several companies in one call: one scope for each from now on.
with split as (
    update sync_scopes set status = 'split', progress_at = now()
    where id = $1 and page_no = 0 and status = 'listing' and cardinality(company_ids) > 1
    returning run_id, position, company_ids
)
insert into sync_scopes (id, run_id, position, company_ids)
select gen_random_uuid(), s.run_id, s.position, array[c.id]
from split s cross join lateral unnest(s.company_ids) as c (id)
