-- Purpose: set what holds for every organization of a plan that has nothing of its own: the monthly limit, the ladder, or both.
-- Parameters: change = { plan_type, limit? (null: unlimited; absent: as it is), policy? (null: the default ladder; absent: as it
--   is), is_new? (true: also a plan that nobody has), actor }.
-- Returns: no row for a plan that is not known and that no organization has, else one as list_plans.
-- Locks: the plan's row. Invariant: the change wakes the enforcer by itself, because inputs_key no longer agrees.
create function public.set_plan(change jsonb)
returns table (plan_type text, limit_tokens text, policy jsonb, organizations integer)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(change);
  plan text := asked ->> 'plan_type';
  config jsonb := case when asked ? 'limit' then jsonb_build_object('max_tokens', asked -> 'limit') else '{}' end;
begin
  if not coalesce((asked ->> 'is_new')::boolean, false)
    and not exists (select from tollgate.plans p where p.plan_type = plan)
    and not exists (select from tollgate.directory_organizations o where o.plan_type = plan) then return; end if;
  insert into tollgate.plans as p (plan_type, librechat_config, policy)
  values (plan, config, nullif(asked -> 'policy', 'null'))
  on conflict (plan_type) do update set librechat_config = p.librechat_config || excluded.librechat_config,
    policy = case when asked ? 'policy' then excluded.policy else p.policy end;
  perform tollgate.record_audit(asked ->> 'actor', 'plan.changed', 'plan:' || plan, asked - array['plan_type', 'actor', 'is_new']);
  return query select l.* from public.list_plans() l where l.plan_type = plan;
end
$$;

-- Purpose: what plans say. Parameters: none. Returns: a row a plan, by name: limit_tokens (null: unlimited, or nothing is said),
--   policy (null: the default ladder), organizations (how many have the plan). Reads only.
create function public.list_plans()
returns table (plan_type text, limit_tokens text, policy jsonb, organizations integer)
language sql stable security invoker set search_path = ''
as $$
  select p.plan_type, nullif(tollgate.stored_limit(p.librechat_config), 'unlimited'), p.policy,
    (select count(*)::integer from tollgate.directory_organizations o where o.plan_type = p.plan_type)
  from tollgate.plans p
  order by p.plan_type
$$;

revoke execute on function public.set_plan, public.list_plans from public, anon, authenticated;
grant execute on function public.set_plan, public.list_plans to service_role;
