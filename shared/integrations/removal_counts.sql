-- What would go with an integration, and what would stay.
select
    (select count(*) from devices where integration_id = $1) as devices,
    count(*) as assets,
    count(*) filter (where elsewhere) as seen_elsewhere,
    count(*) filter (where not elsewhere and edited) as edited
from (
    select
        exists (select from devices o where o.asset_id = a.id and o.integration_id <> $1) as elsewhere,
        coalesce(a.purchase_date_origin = 'manual' or a.warranty_expiration_date_origin = 'manual', false) as edited
    from assets a
    where a.id in (select asset_id from devices where integration_id = $1)
) linked
