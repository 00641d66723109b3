-- Record a page, step the cursor and store what is due next, once: the guard on page_no makes a second fetch of the
-- same page do nothing. A turn that goes on stores nothing: its own message is good until it is over.
-- $1 scope, $2 page, $3 fetch, $4 devices, $5 chunks, $6 next cursor, $7 to $9 what is due next, $10 the turn goes on
with stepped as (
    update sync_scopes
    set page_no = page_no + 1,
        turn_page = case when $10 then turn_page else page_no + 1 end,
        cursor = $6,
        status = case when $6::int is null then 'done' else 'listing' end,
        progress_at = now()
    where id = $1 and page_no = $2 and status = 'listing'
    returning id, run_id, status
),
recorded as (
    insert into sync_pages (fetch_id, run_id, scope_id, page_no, devices, chunk_count)
    select $3, run_id, id, $2, $4, $5 from stepped
),
announced as (
    insert into outbox (routing_key, body, correlation_id)
    select $7, $8, $9 from stepped where status = 'listing' and not $10
    returning id
)
select status, (select id from announced) as outbox_id from stepped
