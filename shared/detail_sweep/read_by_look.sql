-- A look showed both dates of a device: the sweep need not ask for them today. Not where somebody asked for the device,
-- maybe after that look was sent, nor where the sweep is reading it. $1 integration, $2 device
update detail_reads
set line_at = clock_timestamp(), read_at = clock_timestamp(), leased_until = null, claims = 0
where integration_id = $1 and device_id = $2 and line_at <> '-infinity'
    and (leased_until is null or leased_until <= clock_timestamp())
