-- $2: how many examples of each reason.
select reason_code, max(total) as count,
    json_agg(json_build_object('device_id', device_id, 'detail', detail, 'sent', vendor) order by nth) as examples
from (
    select reason_code, device_id, detail, vendor, count(*) over (partition by reason_code) as total,
        row_number() over (partition by reason_code order by id) as nth
    from sync_rejects
    where run_id = $1
) r
where nth <= $2
group by reason_code
order by count desc, reason_code
