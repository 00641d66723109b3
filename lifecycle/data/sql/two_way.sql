-- Each of the two fields of an integration: whether its dates are written to the RMM, and what waits to be written.
-- $1 integration, $2 fields
select f.field, coalesce(t.enabled, false) as enabled, coalesce(t.write_history, false) as write_history,
    t.changed_at, t.changed_by,
    (select count(*) from date_pushes p
     where p.integration_id = $1 and p.field = f.field and p.status in ('waiting', 'writing', 'held')) as waiting
from unnest($2::text[]) with ordinality f (field, place)
left join two_way t on t.integration_id = $1 and t.field = f.field
order by f.place
