-- The assets that refused rows may be matched to, in one order for every writer.
select 1 from assets
where account_id = $1 and (serial_claim = any($2::text[]) or mac_claim = any($3::text[]))
order by id
for no key update
