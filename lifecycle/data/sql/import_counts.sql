-- How many dates came to each end, with the first few of each. $1 how many of each
select outcome, count(*) as dates, bool_or(goes) as goes,
    json_agg(json_build_object('line', line, 'serial', serial, 'field', field, 'sent', sent, 'value', value,
        'reason', reason, 'next_step', next_step) order by entry_no) filter (where place <= $1) as examples
from (select *, row_number() over (partition by outcome order by entry_no) as place from import_judged) j
group by outcome
order by outcome not in ('new', 'unchanged', 'repeated'), array_position(array['new', 'unchanged', 'repeated'], outcome),
    count(*) desc, outcome
