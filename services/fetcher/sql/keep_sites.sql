insert into sites (integration_id, site_id, company_id, name)
select $1, s.id, s.company_id, s.name from unnest($2::text[], $3::text[], $4::text[]) as s (id, company_id, name)
on conflict (integration_id, site_id) do update set company_id = excluded.company_id, name = excluded.name
where (sites.company_id, sites.name) is distinct from (excluded.company_id, excluded.name)
