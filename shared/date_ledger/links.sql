-- The RMMs that have an asset ($1) and whose switch for a field ($2) is on; whether a date there is or may be ours.
select d.integration_id, d.device_id,
    i.status in ('never_synced', 'active') and s.writing_paused_for is distinct from i.credentials_version as writable,
    coalesce(p.written is not null or p.writing is not null, false) as ours
from devices d
join integrations i on i.id = d.integration_id and i.forgotten_at is null
join two_way t on t.integration_id = d.integration_id and t.field = $2 and t.enabled
left join date_settings s on s.integration_id = d.integration_id
left join date_pushes p on p.integration_id = d.integration_id and p.device_id = d.device_id and p.field = $2
where d.asset_id = $1 and d.state <> 'archived'
order by d.integration_id, d.device_id
