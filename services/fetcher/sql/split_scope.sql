-- The RMM refuses several companies in one call: one scope for each from now on. Where pages of the list were read
-- before the refusal, they no longer count: each company is listed anew, and what was written of them is unchanged then.
with split as (
    update sync_scopes set status = 'split', progress_at = now()
    where id = $1 and page_no = $2 and status = 'listing' and cardinality(company_ids) > 1
    returning id, run_id, position, company_ids
),
dropped as (
    delete from sync_pages p using split s where p.scope_id = s.id
)
insert into sync_scopes (id, run_id, position, company_ids)
select gen_random_uuid(), s.run_id, s.position, array[c.id]
from split s cross join lateral unnest(s.company_ids) as c (id)
