-- Purpose: set the markup on the cost of calls that are recorded from now on, of an organization or of a plan.
-- Parameters: change = { organization_id | plan_type, percent (null: an organization as its plan, a plan none), actor }.
-- Returns: no row for an organization or plan that is not known, else one as list_markups.
-- Locks: the row of the organization's settings or of the plan. Invariant: what is recorded keeps its charge.
create function public.set_markup(change jsonb)
returns table (scope text, target text, name text, markup_percent text)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(change);
  organization uuid := (asked ->> 'organization_id')::uuid;
  plan text := asked ->> 'plan_type';
  percent numeric := (asked ->> 'percent')::numeric;
begin
  if organization is not null then
    if not exists (select from tollgate.directory_organizations o where o.organization_id = organization) then return; end if;
    insert into tollgate.organization_settings as s (organization_id, markup_percent) values (organization, percent)
    on conflict (organization_id) do update set markup_percent = excluded.markup_percent, updated_at = now();
  else
    if not exists (select from tollgate.plans p where p.plan_type = plan)
      and not exists (select from tollgate.directory_organizations o where o.plan_type = plan) then return; end if;
    insert into tollgate.plans as p (plan_type, markup_percent) values (plan, percent)
    on conflict (plan_type) do update set markup_percent = excluded.markup_percent;
  end if;
  perform tollgate.record_audit(asked ->> 'actor', 'markup.changed', coalesce('organization:' || organization, 'plan:' || plan),
    jsonb_build_object('percent', percent));
  return query select l.* from public.list_markups() l
    where (l.scope, l.target) = (case when organization is null then 'plan' else 'organization' end, coalesce(organization::text, plan));
  if not found then
    scope := case when organization is null then 'plan' else 'organization' end;
    target := coalesce(organization::text, plan);
    return next;
  end if;
end
$$;

-- Purpose: the markups that are set. Parameters: none. Returns: a row each, of plans and then of organizations: scope (plan |
--   organization), target (the plan, or the organization's id), name (of the organization), markup_percent. Reads only.
create function public.list_markups()
returns table (scope text, target text, name text, markup_percent text)
language sql stable security invoker set search_path = ''
as $$
  select m.scope, m.target, m.name, trim_scale(m.markup_percent)::text
  from (
    select 2 as rank, 'organization' as scope, s.organization_id::text as target, o.name, s.markup_percent
    from tollgate.organization_settings s
    left join tollgate.directory_organizations o on o.organization_id = s.organization_id
    union all
    select 1, 'plan', p.plan_type, null, p.markup_percent from tollgate.plans p) m
  where m.markup_percent is not null
  order by m.rank, m.name, m.target
$$;

revoke execute on function public.set_markup, public.list_markups from public, anon, authenticated;
grant execute on function public.set_markup, public.list_markups to service_role;
