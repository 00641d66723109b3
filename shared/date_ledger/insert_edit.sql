-- One row an event, however often it is delivered. An edit is never made after its receipt.
insert into date_edits (id, event_source, event_id, correlation_id, account_id, asset_id, asked, field, value, source,
    actor, edited_at, received_at, if_version, around, refused_at_once)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, least($12, clock_timestamp()), clock_timestamp(), $13, $14, $15)
on conflict (id) do nothing
returning id, event_source, event_id, field, source, value, edited_at, around, status, asset_id, account_id, correlation_id
