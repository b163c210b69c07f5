-- Purpose: which days of which organizations a re-rate has to go through. Parameters: from_date, to_date (both included),
--   only_model (null: all), only_organization (null: all).
-- Returns: a row an organization and day: organization_id, date, entries (how many of the ledger). Reads only.
create function public.list_rerate_days(
  from_date date, to_date date, only_model text default null, only_organization uuid default null)
returns table (organization_id uuid, date date, entries integer)
language sql stable security invoker set search_path = ''
as $$
  select e.organization_id, e.usage_date, count(*)::integer
  from tollgate.usage_events e
  where e.usage_date between from_date and to_date and (only_model is null or e.model = only_model)
    and (only_organization is null or e.organization_id = only_organization) and e.entry <> 'opening_balance'
  group by e.organization_id, e.usage_date
  order by e.organization_id, e.usage_date
$$;

revoke execute on function public.list_rerate_days from public, anon, authenticated;
grant execute on function public.list_rerate_days to service_role;
