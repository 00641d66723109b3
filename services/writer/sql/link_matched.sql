-- Devices that are the same hardware as an asset that stands: a link each, with the rule that matched.
-- Absent is not null: a field that the source did not send never erases a stored value. An asset with links to
-- several integrations shows what was observed last.
-- $1 rows as JSON, $2 what the vendor sent, $3 account, $4 integration, $5 observation number
with src as (
    -- Of several that come to claim the same at once, one may.
    select *,
        row_number() over (partition by serial_key order by device_id) as serial_turn,
        row_number() over (partition by mac_key order by device_id) as mac_turn
    from rows from (
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
shown as (
    update assets a
    set
        company_id = coalesce(s.company_id, a.company_id),
        company_name = coalesce(s.company_name, a.company_name),
        site_id = coalesce(s.site_id, a.site_id),
        site_name = coalesce(s.site_name, a.site_name),
        name = coalesce(s.name, a.name),
        asset_type = coalesce(s.asset_type, a.asset_type),
        manufacturer = coalesce(s.manufacturer, a.manufacturer),
        manufacturer_normalised = coalesce(s.manufacturer_normalised, a.manufacturer_normalised),
        model = coalesce(s.model, a.model),
        serial_number = coalesce(s.serial_number, a.serial_number),
        serial_normalised = coalesce(s.serial_normalised, a.serial_normalised),
        operating_system = coalesce(s.operating_system, a.operating_system),
        os_version = coalesce(s.os_version, a.os_version),
        processor = coalesce(s.processor, a.processor),
        memory_bytes = coalesce(s.memory_bytes, a.memory_bytes),
        storage_bytes = coalesce(s.storage_bytes, a.storage_bytes),
        mac_addresses = coalesce(s.mac_addresses, a.mac_addresses),
        ip_address = coalesce(s.ip_address, a.ip_address),
        agent_installed_at = coalesce(s.agent_installed_at, a.agent_installed_at),
        serial_key = coalesce(s.serial_key, a.serial_key),
        mac_key = coalesce(s.mac_key, a.mac_key),
        serial_claim = case
            when s.serial_key is null or s.serial_key is not distinct from a.serial_key then a.serial_claim
            when s.serial_turn = 1
                and not exists (select from assets o where o.account_id = $3 and o.serial_claim = s.serial_key)
                then s.serial_key
        end,
        mac_claim = case
            when s.mac_key is null or s.mac_key is not distinct from a.mac_key then a.mac_claim
            when s.mac_turn = 1
                and not exists (select from assets o where o.account_id = $3 and o.mac_claim = s.mac_key)
                then s.mac_key
        end,
        state = 'active',
        version = a.version + 1,
        observed_seq = $5,
        changed_at = now()
    from src s
    where a.id = s.asset_id and a.account_id = $3 and a.observed_seq <= $5
),
linked as (
    insert into devices (integration_id, device_id, account_id, asset_id, company_id, site_id, matched_by, content_hash,
        observed_seq, vendor)
    select $4, s.device_id, $3, s.asset_id, s.company_id, s.site_id, s.matched_by, s.content_hash, $5, s.vendor::json
    from src s
    order by s.device_id
    returning id, device_id, asset_id
)
select id, device_id, asset_id from linked
