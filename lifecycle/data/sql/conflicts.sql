-- Open conflicts between a manual date and an RMM's. $1 account, $2 asset, $3 field, $4 integration; null takes all
select c.id as conflict_id, c.asset_id, a.name as asset, a.serial_number, c.integration_id, i.name as integration,
    c.device_id, c.field, c.manual_value as ours, c.remote_value as theirs, c.manual_edit_id as edit_id, c.found_at,
    coalesce(t.enabled, false) as two_way
from date_conflicts c
left join assets a on a.id = c.asset_id
left join integrations i on i.id = c.integration_id
left join two_way t on t.integration_id = c.integration_id and t.field = c.field
where c.account_id = $1 and c.status = 'open'
    and ($2::uuid is null or c.asset_id = $2)
    and ($3::text is null or c.field = $3)
    and ($4::uuid is null or c.integration_id = $4)
order by c.found_at desc, c.id
