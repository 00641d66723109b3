-- A claimed device goes to the back of the line, or nearer by $5. $1 integration, $2 device, $3 the claim's end by which
-- it is known to be still ours, $4 whether its dates were read
update detail_reads
set line_at = clock_timestamp() - $5::interval, read_at = case when $4 then clock_timestamp() else read_at end,
    leased_until = null, claims = 0
where integration_id = $1 and device_id = $2 and leased_until = $3
