-- Every scope ended and chunks are missing for good: their messages are gone. Those scopes are listed anew; the pages
-- of the old ones no longer count, and their chunks, if they come after all, count for nothing.
with torn as (
    select distinct p.scope_id from sync_pages p
    where p.run_id = $1
        and p.chunk_count > (select count(*) from sync_chunks c where c.fetch_id = p.fetch_id)
),
dropped as (
    delete from sync_pages p using torn t where p.scope_id = t.scope_id
),
closed as (
    update sync_scopes s set status = 'split', progress_at = now() from torn t where s.id = t.scope_id
    returning s.run_id, s.position, s.company_ids, s.device_id, s.site_id
)
insert into sync_scopes (id, run_id, position, company_ids, device_id, site_id)
select gen_random_uuid(), run_id, position, company_ids, device_id, site_id from closed
returning id
