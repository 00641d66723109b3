insert into sync_chunks (fetch_id, chunk_no, run_id, integration_id, observed_seq, lost)
select p.fetch_id, n.chunk_no, p.run_id, r.integration_id, 0, true
from sync_pages p
join sync_runs r on r.id = p.run_id
cross join lateral generate_series(0, p.chunk_count - 1) as n (chunk_no)
where p.run_id = $1
on conflict (fetch_id, chunk_no) do nothing
