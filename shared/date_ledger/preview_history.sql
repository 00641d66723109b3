-- $1 integration, $2 field, $3 limit
select w.*, count(*) over () as total
from (
    select d.device_id, a.id as asset_id, p.seen as there, coalesce(p.seen_known, false) as there_known,
        case $2 when 'purchase_date' then a.purchase_date else a.warranty_expiration_date end as value,
        case $2 when 'purchase_date' then a.purchase_date_origin else a.warranty_expiration_date_origin end as origin
    from devices d
    join assets a on a.id = d.asset_id
    left join date_pushes p on p.integration_id = d.integration_id and p.device_id = d.device_id and p.field = $2
    where d.integration_id = $1 and d.state <> 'archived'
) w
where w.value is not null and (w.origin = 'manual' or w.origin like 'lookup:%')
    and not (w.there_known and w.there is not distinct from w.value)
order by w.device_id
limit $3
