-- A parked part of a page: the run goes on without it and ends as partial.
insert into sync_chunks (fetch_id, chunk_no, run_id, integration_id, observed_seq, lost)
values ($1, $2, $3, $4, $5, true)
on conflict (fetch_id, chunk_no) do nothing
returning run_id
