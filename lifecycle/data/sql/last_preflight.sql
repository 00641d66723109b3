-- The newest preflight of the dates that tells of the key as it is now. $1 integration, $2 how old it may be
select p.finished_at, p.result
from probes p
where p.integration_id = $1 and p.finished_at > now() - $2::interval
    and exists (
        select from jsonb_array_elements(p.result -> 'checks') as c (item) where c.item ->> 'field' is not null
    )
    and not exists (
        select from audit_log a
        where a.object_kind = 'integration' and a.object_id = $1::uuid::text and a.at > p.finished_at
            and a.action in ('integration.credentials_replaced', 'dates.writing_resumed')
    )
order by p.finished_at desc
limit 1
