-- The balance sheet. A device that came twice counts once by its best outcome, and once as repeated for each other
-- time. Outcomes are taken from every chunk of the run, also from one whose fetch a crash left unrecorded: it may be
-- the one that created the device.
with outcome as (
    select k.key,
        bool_or(k.letter = 'c') as created,
        bool_or(k.letter = 'u') as updated,
        count(*) filter (where p.fetch_id is not null) as times
    from sync_chunks c
    left join sync_pages p using (fetch_id)
    cross join lateral unnest(c.keys, string_to_array(c.outcomes, null)) as k (key, letter)
    where c.run_id = $1 and not c.lost
    group by k.key
),
folded as (
    select coalesce(sum(c.rejected), 0) as rejected, coalesce(sum(c.repeated), 0) as repeated
    from sync_chunks c join sync_pages p using (fetch_id)
    where c.run_id = $1 and not c.lost
)
select
    count(*) filter (where o.created) as created,
    count(*) filter (where o.updated and not o.created) as updated,
    count(*) filter (where not o.updated and not o.created) as unchanged,
    (select rejected from folded) as rejected,
    (select repeated from folded) + coalesce(sum(o.times - 1), 0) as repeated
from outcome o
where o.times > 0
