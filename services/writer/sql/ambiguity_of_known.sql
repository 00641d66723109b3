-- Known devices that came to have a serial that another asset holds: they stay apart, and a person is asked.
insert into identity_ambiguities (account_id, kind, key, integration_id, device_id, asset_id, other_asset_id)
select $1, 'serial', a.serial_key, $2, c.device_id, c.asset_id, h.id
from unnest($3::text[], $4::uuid[]) as c (device_id, asset_id)
join lateral (select serial_key from assets where id = c.asset_id limit 1) a on true
join lateral (select id from assets where account_id = $1 and serial_claim = a.serial_key limit 1) h
    on h.id <> c.asset_id
-- The same two the other way round, where a person has said that they are two machines: the claim went to and fro.
where not exists (
    select from identity_ambiguities q
    where q.account_id = $1 and q.kind = 'serial' and q.key = a.serial_key and q.status = 'settled'
        and q.asset_id = h.id and q.other_asset_id = c.asset_id
)
-- A person's answer was about one other asset; about another one it is a new question.
on conflict (integration_id, device_id, kind, key) do update
set asset_id = excluded.asset_id, other_asset_id = excluded.other_asset_id, status = 'open', found_at = now()
where identity_ambiguities.status = 'settled'
    and (identity_ambiguities.asset_id, identity_ambiguities.other_asset_id)
        is distinct from (excluded.asset_id, excluded.other_asset_id)
