-- Open questions of identity: a device that claims the same as another asset. $1 account, $2 asset on either side,
-- $3 integration, $4 question and $5 the last id that begins as asked; null takes all
select q.id as ambiguity_id, q.kind as rule, q.asset_id, a.name as asset, a.serial_number, q.integration_id,
    i.name as integration, q.device_id, q.other_asset_id, o.name as other_asset, o.serial_number as other_serial_number,
    coalesce(d.devices, '[]') as other_devices, q.found_at
from identity_ambiguities q
left join assets a on a.id = q.asset_id
left join assets o on o.id = q.other_asset_id
left join integrations i on i.id = q.integration_id
left join lateral (
    select json_agg(json_build_object('integration_id', d.integration_id, 'integration', n.name, 'device_id', d.device_id,
        'state', d.state) order by d.id) as devices
    from devices d join integrations n on n.id = d.integration_id
    where d.asset_id = q.other_asset_id
) d on true
where q.account_id = $1 and q.status = 'open'
    and ($2::uuid is null or $2 in (q.asset_id, q.other_asset_id))
    and ($3::uuid is null or q.integration_id = $3)
    and ($4::uuid is null or q.id between $4 and $5::uuid)
order by q.found_at desc, q.id
