-- Known devices that came to have a serial that another asset holds: they stay apart, and a person is asked.
insert into identity_ambiguities (account_id, kind, key, integration_id, device_id, asset_id, other_asset_id)
select $1, 'serial', a.serial_key, $2, c.device_id, c.asset_id, h.id
from unnest($3::text[], $4::uuid[]) as c (device_id, asset_id)
join lateral (select serial_key from assets where id = c.asset_id limit 1) a on true
join lateral (select id from assets where account_id = $1 and serial_claim = a.serial_key limit 1) h
    on h.id <> c.asset_id
on conflict do nothing
