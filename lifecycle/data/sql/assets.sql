-- Assets as documents, in the order of their names. What is linked is only read of those that are wanted. Filters that are null take all.
-- $1 account, $2 integration, $3 company (id or name), $4 state, $5 text, $6 the text as a serial, $7 warranty,
-- $8 today, $9 days until a warranty that ends soon, $10 asset after which to go on, $11 how many
select a.*,
    coalesce(l.last_seen_at, a.changed_at) as last_seen_at,
    coalesce(l.links, '[]') as links
from (
    select a.* from assets a
    where a.account_id = $1
        and ($2::uuid is null or exists (select from devices d where d.asset_id = a.id and d.integration_id = $2))
        and ($3::text is null or a.company_id = lower($3) or lower(a.company_name) = lower($3))
        and ($4::text is null or a.state = $4)
        and ($5::text is null
            or strpos(lower(a.name), lower($5)) > 0
            or strpos(lower(a.serial_number), lower($5)) > 0
            or ($6::text <> '' and strpos(a.serial_normalised, $6) > 0)
            or strpos(lower(array_to_string(a.mac_addresses, ' ')), lower(replace($5, '-', ':'))) > 0)
        and case $7::text
            when 'unknown' then a.warranty_expiration_date is null
            when 'expired' then a.warranty_expiration_date < $8::date
            when 'expiring' then a.warranty_expiration_date between $8::date and $8::date + $9::int
            when 'active' then a.warranty_expiration_date > $8::date + $9::int
            else true
        end
        and ($10::uuid is null or (lower(coalesce(a.name, '')), a.id) > (
            select lower(coalesce(o.name, '')), o.id from assets o where o.id = $10 and o.account_id = $1
        ))
    order by lower(coalesce(a.name, '')), a.id
    limit $11
) a
left join lateral (
    select
        max(case when d.state = 'active' then greatest(d.changed_at, i.last_success_at) else d.last_seen_at end)
            as last_seen_at,
        json_agg(json_build_object(
            'integration_id', d.integration_id,
            'integration', i.name,
            'device_id', d.device_id,
            'matched_by', d.matched_by,
            'state', d.state,
            'first_seen_at', d.first_seen_at,
            'last_seen_at',
            case when d.state = 'active' then greatest(d.changed_at, i.last_success_at) else d.last_seen_at end
        ) order by d.id) as links
    from devices d
    join integrations i on i.id = d.integration_id
    where d.asset_id = a.id
) l on true
order by lower(coalesce(a.name, '')), a.id
