-- The slow sweep of dates: when each device's dates were last read, and the turn of each integration.
set lock_timeout = '5s';

-- One narrow row for each device that takes part: the device row is not touched by a read (docs/adr/0004).
create table detail_reads (
    integration_id uuid not null,
    device_id text not null,
    -- The place in the line: when it was last read or tried. The epoch: never. -infinity: somebody asked for it.
    line_at timestamptz not null default 'epoch',
    read_at timestamptz,
    leased_until timestamptz,
    -- Claims since the last end of one: what kills or breaks its reader each time goes to the back of the line.
    claims smallint not null default 0,
    primary key (integration_id, device_id)
) with (fillfactor = 80);
create index detail_reads_line on detail_reads (integration_id, line_at, device_id);

create table detail_sweeps (
    integration_id uuid primary key,
    -- Counts the turns: a message of an earlier one is nothing, so a fork after a crash collapses.
    turn_no bigint not null default 0,
    announced_at timestamptz,
    not_before timestamptz not null default '-infinity',
    -- Since when every device that a run brought has its row in detail_reads.
    seeded_at timestamptz,
    -- How old a date may be, as the scheduler was last told.
    fresh_for interval not null default interval '1 day',
    -- The dates of this tenant cannot be read with these credentials: until then nothing is asked.
    unreadable_for integer,
    unreadable_until timestamptz,
    unreadable_code text,
    unreadable_reason text,
    unreadable_next_action text
);
