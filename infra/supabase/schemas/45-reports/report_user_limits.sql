-- Purpose: the users of an organization with what they have used in the present period and their own limits, for its admin;
--   to a user the own row alone.
-- Parameters: query = { organization_id, limit? (1 to 500, default 100), after? (cursor of the last row of the page before) }.
-- Returns: a row a user, by name; amounts are LLM tokens as text; limit_tokens is what holds for the user alone (null = none),
--   limit_from whose it is: `user`, or the organization's `default` for its users (null: nobody set one); state is that of
--   this limit; policy is the ladder that it is measured against (null: the default one), for whoever sees all alone. Security definer: limits and states are no rows that a tenant may read; the organization's admin and
--   super_admin see them, a member the own, anybody else gets no row, as with GET
--   /v1/organizations/{id}/users/{user}/quota.
create function public.report_user_limits(query jsonb)
returns table (user_id uuid, user_name text, role text, used_tokens text, limit_tokens text, limit_from text,
  state text, reason text, policy jsonb, cursor text)
language plpgsql stable security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(query);
  organization uuid := (asked ->> 'organization_id')::uuid;
  seen jsonb := (asked ->> 'after')::jsonb;
  sees_all boolean := tollgate.may_read_organization(organization);
begin
  if not sees_all and organization is distinct from tollgate.my_organization_id() then return; end if;
  return query
    with period as materialized (
      select (p.period_start at time zone p.time_zone)::date as first_day, (p.period_end at time zone p.time_zone)::date as end_day
      from tollgate.organization_period(organization) p
    ), member as materialized (
      select m.user_id, coalesce(nullif(m.full_name, ''), m.email) as user_name, m.role
      from tollgate.directory_members m
      where m.organization_id = organization and (sees_all or m.user_id = (select auth.uid()))
        and (seen is null or (coalesce(nullif(m.full_name, ''), m.email), m.user_id) > (seen ->> 0, (seen ->> 1)::uuid))
      order by 2, 1 limit least(greatest(coalesce((asked ->> 'limit')::integer, 100), 1), 500)
    )
    select m.user_id, m.user_name, m.role, u.used::text,
      case when q.is_own then q.max_tokens else f.max_tokens end::text,
      case when q.is_own then 'user' when f.is_limiting then 'default' end,
      tollgate.state_at(s.state, s.lapses, s.period_end),
      case when not tollgate.is_lapsed(s.lapses, s.period_end) then s.reason end,
      case when sees_all then coalesce(q.policy, f.policy) end,
      jsonb_build_array(m.user_name, m.user_id)::text
    from member m
    cross join period p
    left join tollgate.user_quotas q on q.organization_id = organization and q.user_id = m.user_id
    left join tollgate.user_quota_defaults f on f.organization_id = organization
    left join tollgate.user_enforcement_states s on s.organization_id = organization and s.user_id = m.user_id
    cross join lateral (
      select coalesce(sum(r.tokens_used), 0)::bigint as used from public.usage_metrics r
      where r.organization_id = organization and r.user_id = m.user_id and r.date >= p.first_day and r.date < p.end_day) u
    order by m.user_name, m.user_id;
end
$$;

revoke execute on function public.report_user_limits from public, anon;
grant execute on function public.report_user_limits to authenticated, service_role;
