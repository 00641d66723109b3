-- What becomes of each date of a file, as write-back will judge it; write-back has the last word. $1 account
insert into import_judged
with holders as (
    select serial_normalised as serial_key, id, asset_type, purchase_date, warranty_expiration_date,
        -- One that is archived counts only where no other has the serial.
        rank() over (partition by serial_normalised order by state = 'archived') as standing
    from assets
    where account_id = $1 and serial_normalised in (select serial_key from import_entries where serial_key <> '')
), matched as (
    select serial_key, count(*) as assets, (array_agg(id))[1] as id, min(asset_type) as asset_type,
        min(purchase_date) as purchase_date, min(warranty_expiration_date) as warranty_expiration_date
    from holders where standing = 1
    group by serial_key
), said as (
    select e.*, e.code is null as readable,
        min(e.value) filter (where e.code is null) over same as lowest,
        max(e.value) filter (where e.code is null) over same as highest,
        row_number() over (partition by e.serial_key, e.field, e.code is null order by e.entry_no) as place,
        min(e.entry_no) over machine as pair,
        min(e.value) filter (where e.code is null and e.field = 'purchase_date') over machine as new_purchase,
        max(e.value) filter (where e.code is null and e.field = 'warranty_expiration_date') over machine as new_warranty
    from import_entries e
    window same as (partition by e.serial_key, e.field), machine as (partition by e.serial_key)
), judged as (
    select s.*, m.assets, m.id as asset_id, m.asset_type, m.purchase_date, m.warranty_expiration_date,
        case
            when s.code is not null then s.code
            when s.lowest <> s.highest then 'contradicted_in_file'
            when s.place > 1 then 'repeated'
            when m.assets is null then 'unknown_serial'
            when m.assets > 1 then 'ambiguous_serial'
            when m.asset_type = 'virtual_machine' and s.field = 'warranty_expiration_date' then 'virtual_machine'
            when coalesce(s.new_warranty, m.warranty_expiration_date) < coalesce(s.new_purchase, m.purchase_date)
                then 'expires_before_purchase'
            when s.value = case s.field when 'purchase_date' then m.purchase_date else m.warranty_expiration_date end
                then 'unchanged'
            else 'new'
        end as outcome
    from said s
    left join matched m on m.serial_key = s.serial_key
)
select entry_no, line, serial, serial_key, field, sent, value, outcome,
    case outcome
        when 'contradicted_in_file' then format('the file says %s and %s for this serial', lowest, highest)
        when 'repeated' then 'the file says the same in an earlier row'
        when 'unknown_serial' then 'no asset has this serial number'
        when 'ambiguous_serial' then format('%s assets have this serial number', assets)
        when 'virtual_machine' then 'a virtual machine has no warranty'
        when 'expires_before_purchase' then format('the warranty would end on %s, before the purchase on %s',
            coalesce(new_warranty, warranty_expiration_date), coalesce(new_purchase, purchase_date))
        when 'unchanged' then 'the asset has this date already'
        else reason
    end,
    case outcome
        when 'contradicted_in_file' then 'leave the right row of them'
        when 'unknown_serial' then 'check the serial; sync first if the machine is new'
        when 'ambiguous_serial' then 'edit the right one by its id, with: lifecycle assets edit'
        when 'expires_before_purchase' then 'correct one of the two dates'
        else next_step
    end,
    case when assets = 1 then asset_id end,
    outcome not in ('repeated', 'contradicted_in_file', 'no_serial', 'no_date', 'long_serial', 'not_a_date',
        'ambiguous_date', 'mixed_date_styles'),
    -- The new warranty goes first, unless it ends before the purchase that counts now.
    coalesce((field = 'warranty_expiration_date') = coalesce(new_warranty >= purchase_date, true), true),
    pair
from judged
