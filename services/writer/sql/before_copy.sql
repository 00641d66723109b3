-- Before new devices are copied in: which of their claims stand already, and ids for their links (the sequence by
-- its name: to look it up for each row costs more than all the rest).
-- LATERAL and LIMIT keep it at a lookup for each: as a join it reads the whole table until that is analyzed.
-- $1 account, $2 serials, $3 MACs, $4 how many ids
select
    array(select k from unnest($2::text::text[]) as k cross join lateral (
        select from assets a where a.account_id = $1 and a.serial_claim = k limit 1) as standing) as serials,
    array(select k from unnest($3::text::text[]) as k cross join lateral (
        select from assets a where a.account_id = $1 and a.mac_claim = k limit 1) as standing) as macs,
    array(select nextval('devices_id_seq'::regclass) from generate_series(1, $4)) as ids
