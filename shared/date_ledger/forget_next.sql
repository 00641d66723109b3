-- The next assets of which a source has said anything, locked in the order of their ids; one that has gone comes without
-- its values. $1 source, $2 how many
with said as (
    select asset_id from date_observations where source = $1 group by asset_id order by asset_id limit $2
),
locked as (
    select id, account_id, asset_type, version, purchase_date, purchase_date_origin, warranty_expiration_date,
        warranty_expiration_date_origin
    from assets where id in (select asset_id from said) order by id for no key update
)
select said.asset_id, l.id, l.account_id, l.asset_type, l.version, l.purchase_date, l.purchase_date_origin,
    l.warranty_expiration_date, l.warranty_expiration_date_origin
from said left join locked l on l.id = said.asset_id
order by said.asset_id
