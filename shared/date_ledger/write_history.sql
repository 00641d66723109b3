-- Wishes for every date of a person or a lookup that counts now. $1 integration, $2 field
insert into date_pushes as p (integration_id, device_id, field, account_id, asset_id, wanted, edit_id, status, wish_no,
    wished_at, trying_since, next_try_at)
select d.integration_id, d.device_id, $2, d.account_id, d.asset_id, o.value, o.edit_id, 'waiting', 1,
    clock_timestamp(), clock_timestamp(), clock_timestamp()
from devices d
join assets a on a.id = d.asset_id
join date_observations o on o.asset_id = a.id and o.field = $2
    and o.source = case $2 when 'purchase_date' then a.purchase_date_origin else a.warranty_expiration_date_origin end
where d.integration_id = $1 and d.state <> 'archived' and o.value is not null
    and (o.source = 'manual' or o.source like 'lookup:%')
order by d.device_id
on conflict (integration_id, device_id, field) do update
set asset_id = excluded.asset_id, wanted = excluded.wanted, edit_id = excluded.edit_id, status = excluded.status,
    wish_no = p.wish_no + 1, wished_at = excluded.wished_at, trying_since = excluded.trying_since,
    next_try_at = excluded.next_try_at, attempts = 0, rechecks = 0, reason_code = null, reason = null,
    next_action = null, changed_at = now()
where not (p.seen_known and p.seen is not distinct from excluded.wanted and p.status in ('none', 'written', 'unchanged'))
returning edit_id
