-- What a file says, one row for each date of it, and then what becomes of each. Temporary: they go with the session.
create temporary table import_entries (
    entry_no bigint not null,
    line integer not null,
    serial text not null,
    serial_key text not null,
    field text,
    sent text,
    value date,
    -- Set where the row can be judged by itself: why it is refused.
    code text,
    reason text,
    next_step text
);
create temporary table import_judged (
    entry_no bigint primary key,
    line integer not null,
    serial text not null,
    serial_key text not null,
    field text,
    sent text,
    value date,
    outcome text not null,
    reason text,
    next_step text,
    asset_id uuid,
    -- Whether it goes out as an event; and whether before the other date of its row, which else contradicts it.
    goes boolean not null,
    first boolean not null,
    -- The same for both dates of a serial, wherever in the file they stand: they are sent together.
    pair bigint not null
);
create index on import_judged (pair) where goes
