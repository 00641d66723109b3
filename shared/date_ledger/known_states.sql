-- What is known of fields ($3) of devices ($2, in pairs) of an integration ($1), in the order asked. A look-up for each:
-- a join is planned by what the tables held when they were last analysed, on a first load nothing.
select q.n::int as n, d.asset_id, p.seen, coalesce(p.seen_known, false) as seen_known, coalesce(p.seen_seq, 0) as seen_seq,
    p.before, coalesce(p.before_known, false) as before_known, p.written, coalesce(p.written_known, false) as written_known,
    coalesce(p.confirmed_seq, 0) as confirmed_seq, p.writing, coalesce(p.writing_known, false) as writing_known,
    coalesce(p.leased_until > clock_timestamp(), false) as claimed,
    coalesce(s.conflict_policy, 'keep_manual') as conflict_policy
from unnest($2::text[], $3::text[]) with ordinality as q (device_id, field, n)
cross join lateral (
    select asset_id from devices where integration_id = $1 and device_id = q.device_id limit 1
) d
left join lateral (
    select * from date_pushes where integration_id = $1 and device_id = q.device_id and field = q.field limit 1
) p on true
left join date_settings s on s.integration_id = $1
order by q.n
