-- Whether a value is one of an older edit that we began to write more often than we saw it written. Once: the same value
-- a second time is somebody's. $1 asset, $2 field, $3 value, $4 integration, $5 device, $6 settled by
select exists (
    select from date_edits e
    join date_pushes p on p.integration_id = $4 and p.device_id = $5 and p.field = $2 and p.edit_id is distinct from e.id
    where e.asset_id = $1 and e.field = $2 and not e.refused_at_once and e.value is not distinct from $3
        and e.attempts > (e.written_at is not null)::int and e.changed_at > now() - interval '1 day'
        and not exists (
            select from date_conflicts c
            where c.integration_id = $4 and c.device_id = $5 and c.field = $2 and c.settled_by = $6
                and c.remote_value is not distinct from $3 and c.found_at > e.received_at
        )
)
