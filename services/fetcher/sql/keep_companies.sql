-- Each once: a list that is read in pages may shift under the reading, and Postgres refuses a row twice.
insert into companies (integration_id, company_id, name)
select distinct on (c.id) $1::uuid, c.id, c.name from unnest($2::text[], $3::text[]) as c (id, name)
on conflict (integration_id, company_id) do update set name = excluded.name
where companies.name is distinct from excluded.name
