-- Take a chunk, once. The lock is shared with other writers and exclusive to a removal of the integration, which is
-- thereby kept out until this transaction ends: no row of a removed integration is made anew.
-- No row: the chunk is written already. A chunk that was parked and comes again is taken.
with locked as materialized (
    select pg_advisory_xact_lock_shared(hashtextextended('integration:' || $4::uuid, 0))
)
insert into sync_chunks (fetch_id, chunk_no, run_id, integration_id, observed_seq)
select $1, $2, $3, i.id, $5 from locked, integrations i where i.id = $4 and i.status <> 'removed'
on conflict (fetch_id, chunk_no) do update set lost = false, observed_seq = excluded.observed_seq where sync_chunks.lost
returning chunk_no
