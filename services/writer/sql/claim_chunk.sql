-- Take a chunk, once, under the lock that keeps a removal of the integration out until this transaction ends.
-- The lock is a statement of its own: a statement sees the tables as they were when it began, and one that waited
-- for the removal would not see it.
-- No row: the chunk is written already. A chunk that was parked and comes again is taken.
insert into sync_chunks (fetch_id, chunk_no, run_id, integration_id, observed_seq)
select $1, $2, $3, i.id, $5 from integrations i where i.id = $4 and i.status <> 'removed'
on conflict (fetch_id, chunk_no) do update set lost = false, observed_seq = excluded.observed_seq where sync_chunks.lost
returning chunk_no
