-- New versions of assets, all of which differ. $1 assets, then value and origin of both fields (in step)
update assets a
set purchase_date = q.purchase_date, purchase_date_origin = q.purchase_origin,
    warranty_expiration_date = q.warranty_date, warranty_expiration_date_origin = q.warranty_origin,
    version = version + 1, changed_at = now()
from unnest($1::uuid[], $2::date[], $3::text[], $4::date[], $5::text[])
    as q (id, purchase_date, purchase_origin, warranty_date, warranty_origin)
where a.id = q.id
returning a.id, a.version
