-- Each once: a list that is read in pages may shift under the reading, and Postgres refuses a row twice.
insert into sites (integration_id, site_id, company_id, name)
select distinct on (s.id) $1::uuid, s.id, s.company_id, s.name
from unnest($2::text[], $3::text[], $4::text[]) as s (id, company_id, name)
on conflict (integration_id, site_id) do update set company_id = excluded.company_id, name = excluded.name
where (sites.company_id, sites.name) is distinct from (excluded.company_id, excluded.name)
