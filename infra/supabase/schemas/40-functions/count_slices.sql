-- Purpose: about how many slices reconcile_books will go through, for a progress bar. Parameters: only_organization (null:
--   all), since (null: any day). Returns: one row: slices. Reads only.
-- Invariant: taken from the rollups, which are small; a day that only the ledger knows is not counted here, but compared.
create function public.count_slices(only_organization uuid default null, since date default null)
returns table (slices integer)
language sql stable security invoker set search_path = ''
as $$
  select ((select count(*) from (
      select distinct m.organization_id, m.date from public.usage_metrics m
      where (only_organization is null or m.organization_id = only_organization) and (since is null or m.date >= since)) d)
    + (select count(*) from (
      select distinct m.organization_id, date_trunc('month', m.date::timestamp) from public.usage_metrics m
      where (only_organization is null or m.organization_id = only_organization)
        and (since is null or m.date >= since and since < (now() at time zone 'UTC')::date - 2)) d)
    + (select count(*) from (
      select distinct s.organization_id, (s.started_at at time zone 'UTC')::date from public.chat_sessions s
      where (only_organization is null or s.organization_id = only_organization)
        and (since is null or s.started_at >= since::timestamp at time zone 'UTC')) d)
    + (select count(*) from tollgate.period_totals t
      where (only_organization is null or t.organization_id = only_organization)
        and (since is null or t.period_start >= since - 70)))::integer
$$;

revoke execute on function public.count_slices from public, anon, authenticated;
grant execute on function public.count_slices to service_role;
