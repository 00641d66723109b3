-- Take a chunk, once. The shared lock keeps a removal of the integration out until this transaction ends.
-- No row: the chunk is written already. A chunk that was parked and comes again is taken.
insert into sync_chunks (fetch_id, chunk_no, run_id, integration_id, observed_seq)
select $1, $2, $3, i.id, $5 from integrations i where i.id = $4 and i.status <> 'removed'
on conflict (fetch_id, chunk_no) do update set lost = false where sync_chunks.lost
returning chunk_no
