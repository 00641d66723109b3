-- What would go with an integration, and what would stay.
select
    (select count(*) from devices where integration_id = $1) as devices,
    count(*) as assets,
    count(*) filter (where elsewhere) as seen_elsewhere,
    count(*) filter (where not elsewhere and edited) as edited
from (
    select
        exists (select from devices o where o.asset_id = a.id and o.integration_id <> $1) as elsewhere,
        exists (select from date_observations v
            where v.asset_id = a.id and v.source = 'manual' and v.value is not null) as edited
    from assets a
    where a.id in (select asset_id from devices where integration_id = $1)
) linked
