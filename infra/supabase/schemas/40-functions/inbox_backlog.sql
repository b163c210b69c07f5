-- Purpose: how much waits in the inbox. Parameters: none.
-- Returns: one row: events (waiting), oldest_seconds (age of the oldest row, 0 when none waits). Reads only.
create function public.inbox_backlog() returns table (events integer, oldest_seconds double precision)
language sql stable security invoker set search_path = ''
as $$
  select
    coalesce((select sum(i.event_count) from tollgate.event_inbox i), 0)::integer,
    coalesce(extract(epoch from now() - (
      select i.received_at from tollgate.event_inbox i order by i.id limit 1)), 0)::double precision
$$;

revoke execute on function public.inbox_backlog from public, anon, authenticated;
grant execute on function public.inbox_backlog to tollgate_token_api, tollgate_usage_worker, service_role;
