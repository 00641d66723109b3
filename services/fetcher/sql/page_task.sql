-- What a due page needs, or no row when it is nothing any more: recorded already, scope ended, run over.
select s.id as scope_id, s.run_id, s.company_ids, s.device_id, s.site_id, s.page_no, s.cursor, r.account_id, r.integration_id,
    (select coalesce(json_object_agg(c.company_id, c.name), '{}') from companies c
        where c.integration_id = r.integration_id and c.company_id = any(s.company_ids)) as companies,
    (select coalesce(json_object_agg(t.site_id, t.name), '{}') from sites t
        where t.integration_id = r.integration_id and t.company_id = any(s.company_ids)) as sites
from sync_scopes s
join sync_runs r on r.id = s.run_id
where s.id = $1 and s.page_no = $2 and s.status = 'listing' and r.status = 'running'
