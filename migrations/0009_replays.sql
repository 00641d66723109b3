-- Replays of a journal: what somebody asked for, and how far it is. A stream keeps no reader's position over AMQP 0.9.1,
-- so it is ours (docs/adr/0033).
set lock_timeout = '5s';

create table replays (
    id uuid primary key,
    account_id uuid not null,
    actor text not null,
    journal text not null,
    queue text not null,
    -- Which events: types, since, until, and account, integration and device where only theirs are meant.
    wanted jsonb not null,
    messages_a_second real not null,
    status text not null default 'running' check (status in ('running', 'stopped', 'done')),
    -- Everything before it was read, and what was wanted of that was sent. Null: nothing was read yet.
    next_offset bigint,
    read bigint not null default 0,
    sent bigint not null default 0,
    unreadable bigint not null default 0,
    started_at timestamptz not null default now(),
    ended_at timestamptz
);
