-- Which asset one has become of which a person said that it is the same machine: edits that were sent before name it
-- still, and people ask for it.
set lock_timeout = '5s';

create table assets_given_up (
    asset_id uuid primary key,
    account_id uuid not null,
    kept_as uuid not null,
    given_up_at timestamptz not null default now(),
    given_up_by text not null
);
create index assets_given_up_kept on assets_given_up (kept_as);
