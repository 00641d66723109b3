-- Before new devices are copied in: which of their claims stand already, and ids for their links.
-- $1 account, $2 serials, $3 MACs, $4 how many ids
select
    array(select k from unnest($2::text[]) as k
        where exists (select from assets a where a.account_id = $1 and a.serial_claim = k)) as serials,
    array(select k from unnest($3::text[]) as k
        where exists (select from assets a where a.account_id = $1 and a.mac_claim = k)) as macs,
    array(select nextval(pg_get_serial_sequence('devices', 'id')) from generate_series(1, $4)) as ids
