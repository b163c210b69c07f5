-- Purpose: organizations that must be evaluated though nobody announced them: a wake-up was lost, the period ended,
--   or limit, ladder or time zone changed. Parameters: max_rows, at (default: the database's present).
--   Returns: a row an organization: organization_id, reason.
-- Invariant: what needs no evaluation is not listed, so that a sweep is cheap. Reads only.
create function public.list_due_evaluations(max_rows integer, at timestamptz default now())
returns table (organization_id uuid, reason text)
language sql stable security invoker set search_path = ''
as $$
  select i.organization_id,
    case when s.period_end <= at then 'period' when s.inputs_key <> i.inputs_key then 'limit_changed' else 'sweep' end
  from tollgate.quota_inputs_at(at) i
  left join tollgate.enforcement_states s on s.organization_id = i.organization_id
  left join tollgate.period_totals t
    on t.organization_id = i.organization_id and t.period_start = i.period_start
  where s.period_end <= at or s.inputs_key <> i.inputs_key or t.used_tokens >= t.evaluate_at
    or (s.organization_id is null and i.limit_tokens = 0) -- nothing may be used: do not wait for a first event
  limit max_rows
$$;

revoke execute on function public.list_due_evaluations from public, anon, authenticated;
grant execute on function public.list_due_evaluations to tollgate_quota_enforcer, service_role;
