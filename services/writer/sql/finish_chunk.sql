with finished as (
    update sync_chunks
    set keys = $3::text::bigint[], outcomes = $4, created = $5, updated = $6, unchanged = $7, rejected = $8, repeated = $9,
        written_at = now()
    where fetch_id = $1 and chunk_no = $2
    returning integration_id
)
select pg_notify('lifecycle_chunk_written', integration_id::text) from finished
