-- A new version of the asset, only where a date or its origin differs.
update assets
set purchase_date = $2, purchase_date_origin = $3, warranty_expiration_date = $4, warranty_expiration_date_origin = $5,
    version = version + 1, changed_at = now()
where id = $1
returning version
