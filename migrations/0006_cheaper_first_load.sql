-- What a first load pays for each device, less (docs/adr/0023): keys are compared as bytes and not by a language's rules,
-- and what the vendor sent is packed by the faster of Postgres' two ways.
set lock_timeout = '5s';

-- Nobody sorts by these for people to read. The indexes over them are made anew.
alter table devices alter device_id type text collate "C";
alter table assets
    alter serial_key type text collate "C",
    alter serial_claim type text collate "C",
    alter mac_key type text collate "C",
    alter mac_claim type text collate "C",
    alter serial_normalised type text collate "C";

do $$
begin
    alter table devices alter vendor set compression lz4;
exception when feature_not_supported then
    raise notice 'this Postgres was built without lz4: what vendors send is packed as before';
end
$$;
