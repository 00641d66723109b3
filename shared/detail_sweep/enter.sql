-- Each integration that may be used has its sweep. A removal is waited out by leaving its row alone.
insert into detail_sweeps (integration_id)
select i.id from integrations i
where i.status in ('never_synced', 'active')
    and not exists (select from detail_sweeps s where s.integration_id = i.id)
for share of i skip locked
on conflict do nothing
