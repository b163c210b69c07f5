-- Purpose: the grants of an organization one by one, newest first, a page at a time, for its admin. Parameters: query =
--   { organization_id, limit? (1 to 200, default 50), after? (cursor of the last row of the page before) }.
-- Returns: a row a grant; state: open, spent, expired or voided; left_tokens is what may still be spent ('0' of one that is over),
--   spent_tokens what it has given up to now, in all periods; void_reason and voided_by null of one that nobody voided;
--   actor_name and voided_by_name null for whoever is no member that the caller sees.
-- Security definer: grants are no rows that a tenant may read; an organization's admin and super_admin see them, anybody
--   else gets no row.
create function public.report_grants(query jsonb)
returns table (
  id uuid, amount_tokens text, left_tokens text, spent_tokens text, priority integer, expires_at timestamptz, reason text,
  actor text, actor_name text, created_at timestamptz, closed_at timestamptz, state text, void_reason text,
  voided_by text, voided_by_name text, cursor text)
language plpgsql stable security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(query);
  organization uuid := (asked ->> 'organization_id')::uuid;
  seen jsonb := (asked ->> 'after')::jsonb;
begin
  if not tollgate.may_read_organization(organization) then return; end if;
  return query
    with page as materialized (
      select g.* from tollgate.grants g
      where g.organization_id = organization
        and (seen is null or (g.created_at, g.id) < ((seen ->> 0)::timestamptz, (seen ->> 1)::uuid))
      order by g.created_at desc, g.id desc
      limit least(greatest(coalesce((asked ->> 'limit')::integer, 50), 1), 200)
    ), spread as materialized (
      select u.grant_id, u.size, u.spent
      from tollgate.quota_inputs_at(now()) i
      left join tollgate.period_totals t on t.organization_id = i.organization_id and t.period_start = i.period_start
      cross join lateral tollgate.spread_usage(i.organization_id, i.period_start, i.period_end, i.base_limit_tokens,
        coalesce(t.used_tokens, 0)) u
      where i.organization_id = organization
    ), counted as (
      select g.*, coalesce(g.closed_at is not null or g.expires_at <= now(), false) as is_over, u.size - u.spent as rest,
        case when u.grant_id is null then (
            select coalesce(sum(s.spent_tokens), 0) from tollgate.grant_spending s where s.grant_id = g.id)
          else g.amount_tokens - (u.size - u.spent) end::bigint as given
      from page g left join spread u on u.grant_id = g.id and g.closed_at is null
    )
    select c.id, c.amount_tokens::text, case when c.is_over then 0 else coalesce(c.rest, c.amount_tokens - c.given) end::text,
      c.given::text, c.priority, c.expires_at, c.reason, c.actor, v.user_name, c.created_at, c.closed_at,
      case when c.given >= c.amount_tokens then 'spent' when c.voided_at is not null then 'voided' when c.is_over then 'expired'
        else 'open' end, c.void_reason, c.voided_by, b.user_name,
      jsonb_build_array(c.created_at, c.id)::text
    from counted c
    left join tollgate.visible_members(organization) v on 'user:' || v.user_id = c.actor
    left join tollgate.visible_members(organization) b on 'user:' || b.user_id = c.voided_by
    order by c.created_at desc, c.id desc;
end
$$;

revoke execute on function public.report_grants from public, anon;
grant execute on function public.report_grants to authenticated;
