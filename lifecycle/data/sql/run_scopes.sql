select s.position, s.status, s.company_ids, s.device_id, s.reason_code, s.reason, s.progress_at,
    coalesce(p.pages, 0) as pages, coalesce(p.devices, 0) as devices,
    array(
        select coalesce(c.name, u.id) from unnest(s.company_ids) with ordinality as u (id, n)
        left join companies c on c.integration_id = r.integration_id and c.company_id = u.id
        order by u.n
    ) as companies
from sync_scopes s
join sync_runs r on r.id = s.run_id
left join lateral (
    select count(*) as pages, sum(devices)::bigint as devices from sync_pages where scope_id = s.id
) p on true
where s.run_id = $1 and s.status <> 'split'
order by s.position, s.id
