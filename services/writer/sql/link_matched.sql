-- Devices that are the same hardware as an asset that stands: a link each, with the rule that matched.
-- Absent is not null: a field that the source did not send never erases a stored value. An asset with links to
-- several integrations shows what was observed last; what was observed earlier fills what is not known.
-- $1 rows as JSON, $2 what the vendor sent, $3 account, $4 integration, $5 observation number
with src as (
    -- Of several that come to claim the same at once, one may.
    select *,
        row_number() over (partition by serial_key order by device_id) as serial_turn,
        row_number() over (partition by mac_key order by device_id) as mac_turn,
        -- The assets are locked, so this stays true.
        (select a.observed_seq <= $5 from assets a where a.id = t.asset_id) as newer
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
        company_id = coalesce(case when s.newer then s.company_id end, a.company_id, s.company_id),
        company_name = coalesce(case when s.newer then s.company_name end, a.company_name, s.company_name),
        site_id = coalesce(case when s.newer then s.site_id end, a.site_id, s.site_id),
        site_name = coalesce(case when s.newer then s.site_name end, a.site_name, s.site_name),
        name = coalesce(case when s.newer then s.name end, a.name, s.name),
        asset_type = coalesce(case when s.newer then s.asset_type end, a.asset_type, s.asset_type),
        manufacturer = coalesce(case when s.newer then s.manufacturer end, a.manufacturer, s.manufacturer),
        manufacturer_normalised = coalesce(
            case when s.newer then s.manufacturer_normalised end, a.manufacturer_normalised, s.manufacturer_normalised),
        model = coalesce(case when s.newer then s.model end, a.model, s.model),
        serial_number = coalesce(case when s.newer then s.serial_number end, a.serial_number, s.serial_number),
        serial_normalised = coalesce(
            case when s.newer then s.serial_normalised end, a.serial_normalised, s.serial_normalised),
        operating_system = coalesce(
            case when s.newer then s.operating_system end, a.operating_system, s.operating_system),
        os_version = coalesce(case when s.newer then s.os_version end, a.os_version, s.os_version),
        processor = coalesce(case when s.newer then s.processor end, a.processor, s.processor),
        memory_bytes = coalesce(case when s.newer then s.memory_bytes end, a.memory_bytes, s.memory_bytes),
        storage_bytes = coalesce(case when s.newer then s.storage_bytes end, a.storage_bytes, s.storage_bytes),
        mac_addresses = coalesce(case when s.newer then s.mac_addresses end, a.mac_addresses, s.mac_addresses),
        ip_address = coalesce(case when s.newer then s.ip_address end, a.ip_address, s.ip_address),
        agent_installed_at = coalesce(
            case when s.newer then s.agent_installed_at end, a.agent_installed_at, s.agent_installed_at),
        serial_key = coalesce(case when s.newer then s.serial_key end, a.serial_key, s.serial_key),
        mac_key = coalesce(case when s.newer then s.mac_key end, a.mac_key, s.mac_key),
        serial_claim = case
            when s.serial_key is null or s.serial_key is not distinct from a.serial_key then a.serial_claim
            when not s.newer and a.serial_key is not null then a.serial_claim
            when s.serial_turn = 1
                and not exists (select from assets o where o.account_id = $3 and o.serial_claim = s.serial_key)
                then s.serial_key
        end,
        mac_claim = case
            when s.mac_key is null or s.mac_key is not distinct from a.mac_key then a.mac_claim
            when not s.newer and a.mac_key is not null then a.mac_claim
            when s.mac_turn = 1
                and not exists (select from assets o where o.account_id = $3 and o.mac_claim = s.mac_key)
                then s.mac_key
        end,
        state = 'active',
        version = a.version + 1,
        observed_seq = greatest(a.observed_seq, $5),
        changed_at = now()
    from src s
    where a.id = s.asset_id and a.account_id = $3
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
