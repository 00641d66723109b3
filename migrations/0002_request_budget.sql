-- The request budget of an integration: a count of grants over a sliding window, by this database's clock,
-- shared by every replica of every service (docs/adr/0005).
set lock_timeout = '5s';

create table request_budgets (
    integration_id uuid primary key,
    blocked_until timestamptz not null default '-infinity',
    blocked_reason text
);

create table request_grants (
    integration_id uuid not null,
    granted_at timestamptz not null,
    priority smallint not null
);
create index request_grants_window on request_grants (integration_id, granted_at);

-- Takes one request. Returns how long to wait (zero: granted) and the observation number of the request.
-- priority: 0 write, 1 list, 2 detail. Lists and details leave `reserve` requests free for writes, but take
-- those too where as many grants leave the window within `soon`: an edit then waits that long at most.
create function take_request(
    p_integration uuid, p_priority smallint, p_budget integer, p_window interval, p_reserve integer, p_soon interval,
    out wait interval, out seq bigint
) language plpgsql as $$
declare
    v_now timestamptz;
    v_blocked timestamptz;
    v_used integer;
    v_soon integer;
    v_free integer;
begin
    -- Not waited for on the disk: a grant that a crash of the database loses is one request too many in one window.
    perform set_config('synchronous_commit', 'off', true);
    insert into request_budgets (integration_id) values (p_integration) on conflict do nothing;
    select blocked_until into v_blocked from request_budgets where integration_id = p_integration for update;
    v_now := clock_timestamp();
    seq := 0;
    if v_blocked > v_now then
        wait := v_blocked - v_now;
        return;
    end if;
    delete from request_grants where integration_id = p_integration and granted_at <= v_now - p_window;
    select count(*), count(*) filter (where granted_at <= v_now - p_window + p_soon)
        into v_used, v_soon from request_grants where integration_id = p_integration;
    v_free := p_budget - v_used;
    if v_free >= 1 and (p_priority = 0 or v_free + v_soon > p_reserve) then
        insert into request_grants (integration_id, granted_at, priority) values (p_integration, v_now, p_priority);
        wait := interval '0';
        seq := nextval('observation_seq');
        return;
    end if;
    -- The moment at which enough have left the window for the request itself, and for a list as many more as the
    -- reserve asks for, where those that leave soon count as gone. Whichever is later.
    select max(g.granted_at + p_window
            - case when g.n = v_used - p_budget + 1 then interval '0' else p_soon end) - v_now
        into wait
        from (
            select granted_at, row_number() over (order by granted_at) as n
            from request_grants where integration_id = p_integration
        ) g
        where g.n = v_used - p_budget + 1 or (p_priority > 0 and g.n = v_used - p_budget + p_reserve + 1);
    wait := greatest(coalesce(wait, p_window), interval '50 milliseconds');
end
$$;

-- What the RMM itself said (429, Retry-After, remaining 0): nobody asks before that time.
create function block_requests(p_integration uuid, p_wait interval, p_reason text) returns void language sql as $$
    insert into request_budgets (integration_id, blocked_until, blocked_reason)
    values (p_integration, clock_timestamp() + p_wait, p_reason)
    on conflict (integration_id) do update
        set blocked_until = greatest(request_budgets.blocked_until, excluded.blocked_until),
            blocked_reason = excluded.blocked_reason
$$;
