-- Devices that nobody knows: an asset and its link each. One whose claim stands already (another asset has this serial
-- or these MACs) is left out and does not come back. Sorted, so that two writers do not deadlock.
-- $1 rows as JSON, $2 what the vendor sent, $3 account, $4 integration, $5 observation number
with src as (
    select * from rows from (
        json_to_recordset($1::text::json) as (
            device_id text, asset_id uuid, content_hash uuid, matched_by text, serial_key text,
            serial_claim text, mac_key text, mac_claim text, company_id text, company_name text, site_id text,
            site_name text, name text, asset_type text, manufacturer text, manufacturer_normalised text,
            model text, serial_number text, serial_normalised text, operating_system text, os_version text,
            processor text, memory_bytes bigint, storage_bytes bigint, mac_addresses text[], ip_address text,
            agent_installed_at timestamptz
        ),
        unnest($2::text[])
    ) as t (
        device_id, asset_id, content_hash, matched_by, serial_key, serial_claim, mac_key, mac_claim,
        company_id, company_name, site_id, site_name, name, asset_type, manufacturer, manufacturer_normalised,
        model, serial_number, serial_normalised, operating_system, os_version, processor, memory_bytes,
        storage_bytes, mac_addresses, ip_address, agent_installed_at, vendor
    )
),
made as (
    insert into assets (id, account_id, observed_seq, serial_key, serial_claim, mac_key, mac_claim,
        company_id, company_name, site_id, site_name, name, asset_type, manufacturer, manufacturer_normalised,
        model, serial_number, serial_normalised, operating_system, os_version, processor, memory_bytes,
        storage_bytes, mac_addresses, ip_address, agent_installed_at)
    select asset_id, $3, $5, serial_key, serial_claim, mac_key, mac_claim,
        company_id, company_name, site_id, site_name, name, coalesce(asset_type, 'unknown'), manufacturer,
        manufacturer_normalised, model, serial_number, serial_normalised, operating_system, os_version,
        processor, memory_bytes, storage_bytes, mac_addresses, ip_address, agent_installed_at
    from src
    order by serial_claim, mac_claim
    on conflict do nothing
    returning id
),
linked as (
    insert into devices (integration_id, device_id, account_id, asset_id, company_id, site_id, matched_by, content_hash,
        observed_seq, vendor)
    select $4, s.device_id, $3, s.asset_id, s.company_id, s.site_id, s.matched_by, s.content_hash, $5, s.vendor::json
    from src s
    join made m on m.id = s.asset_id
    order by s.device_id
    returning id, device_id, asset_id
)
select id, device_id, asset_id from linked
