-- Claims that have come free: of assets that were just written (two devices that swapped their serials each found the
-- other's claim taken), and of those that waited for the claim of one of these. One asset takes a claim; its question
-- is answered, as is that of a device which has another serial now, and the others of that serial ask about the taker.
-- Who was kept apart by a person waits for the claim as well, and the answer stays.
-- $1 account, $2 assets that were just written
with asked as (
    select id from unnest($2::uuid[]) as w (id)
    union
    select q.asset_id from identity_ambiguities q
    where q.account_id = $1 and q.kind = 'serial' and q.other_asset_id = any($2::uuid[])
),
looked as (
    select a.id, a.serial_key, a.serial_claim, a.mac_key, a.mac_claim
    from asked k cross join lateral (select * from assets where id = k.id and account_id = $1 limit 1) a
),
free as (
    (
        select distinct on (l.serial_key) l.id, l.serial_key, null as mac_key
        from looked l
        where l.serial_claim is null and l.serial_key is not null
            and not exists (select from assets o where o.account_id = $1 and o.serial_claim = l.serial_key)
        order by l.serial_key, l.id
    )
    union all
    (
        select distinct on (l.mac_key) l.id, null, l.mac_key
        from looked l
        where l.mac_claim is null and l.mac_key is not null
            and not exists (select from assets o where o.account_id = $1 and o.mac_claim = l.mac_key)
        order by l.mac_key, l.id
    )
),
taken as (
    update assets a
    set serial_claim = coalesce(f.serial_key, a.serial_claim), mac_claim = coalesce(f.mac_key, a.mac_claim)
    from (select id, max(serial_key) as serial_key, max(mac_key) as mac_key from free group by id) f
    where a.id = f.id
    returning a.id, f.serial_key
),
answered as (
    delete from identity_ambiguities q using looked l left join taken t on t.id = l.id
    where q.account_id = $1 and q.kind = 'serial' and q.status = 'open' and q.asset_id = l.id
        and (l.serial_key is distinct from q.key or t.serial_key = q.key)
)
update identity_ambiguities q set other_asset_id = t.id
from taken t
where q.account_id = $1 and q.kind = 'serial' and q.status = 'open' and q.key = t.serial_key and q.asset_id <> t.id
