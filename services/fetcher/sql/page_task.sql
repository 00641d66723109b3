-- What the page needs to which a turn has come, in one round trip, or no row when there is none any more: turn over,
-- scope ended, run over. With the integration, the names that its chunks carry, and how many chunks wait for the writer.
with waiting as (
    select w.integration_id,
        (select coalesce(sum(p.chunk_count), 0) from sync_pages p where p.run_id = w.id)
        - (select count(*) from sync_chunks c where c.run_id = w.id) as chunks
    from sync_runs w
    where w.status = 'running'
)
select s.id as scope_id, s.run_id, s.company_ids, s.device_id, s.site_id, s.page_no, s.cursor,
    r.account_id, r.integration_id, r.correlation_id,
    i.name, i.region, i.client_id, i.client_secret_sealed, i.credentials_version, i.status, i.reason, i.quirks,
    (select coalesce(json_object_agg(c.company_id, c.name), '{}') from companies c
        where c.integration_id = r.integration_id and c.company_id = any(s.company_ids)) as companies,
    (select coalesce(json_object_agg(t.site_id, t.name), '{}') from sites t
        where t.integration_id = r.integration_id and t.company_id = any(s.company_ids)) as sites,
    (select coalesce(sum(chunks), 0)::int from waiting where chunks > 0 and integration_id = i.id) as waiting_own,
    (select coalesce(sum(chunks), 0)::int from waiting where chunks > 0) as waiting_total,
    (select count(*) from sync_runs where status in ('queued', 'running'))::int as syncing
from sync_scopes s
join sync_runs r on r.id = s.run_id
join integrations i on i.id = r.integration_id
where s.id = $1 and s.turn_page = $2 and s.status = 'listing' and r.status = 'running'
