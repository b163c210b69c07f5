-- Purpose: every organization with its present period, by name and id. Parameters: query = { search? (part of name or domain),
--   limit? (1 to 500, default 100), after? (cursor of the last row of the page before) }.
-- Returns: a row an organization; counts as text; cost null where nothing of the period is priced.
-- Security definer: for super_admin alone, anybody else gets no row; organizations are the project's own table, whose
--   policies need not know that role.
create function public.report_organizations(query jsonb)
returns table (
  organization_id uuid, name text, domain text, plan_type text, state text, used_tokens text, limit_tokens text,
  cost_usd text, unpriced_events text, cursor text)
language plpgsql stable security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(query);
  seen jsonb := (asked ->> 'after')::jsonb;
  pattern text := '%' || regexp_replace(coalesce(asked ->> 'search', ''), '([\\%_])', '\\\1', 'g') || '%';
begin
  if tollgate.my_role() is distinct from 'super_admin' then return; end if;
  return query
    select i.organization_id, o.name, o.domain, o.plan_type, tollgate.state_at(s.state, s.lapses, s.period_end),
      coalesce(t.used_tokens, 0)::text, i.limit_tokens::text,
      tollgate.known_amount(coalesce(t.cost_usd, 0), t.cost_usd, coalesce(t.event_count, 0), n.unpriced_events)::text,
      n.unpriced_events::text, jsonb_build_array(o.name, o.organization_id)::text
    from (
      select d.* from tollgate.directory_organizations d
      where (d.name ilike pattern or d.domain ilike pattern)
        and (seen is null or (d.name, d.organization_id) > (seen ->> 0, (seen ->> 1)::uuid))
      order by d.name, d.organization_id limit least(greatest(coalesce((asked ->> 'limit')::integer, 100), 1), 500)) o
    join tollgate.quota_inputs i on i.organization_id = o.organization_id
    left join tollgate.period_totals t on t.organization_id = i.organization_id and t.period_start = i.period_start
    cross join lateral (select coalesce(t.unpriced_events, 0) + case when t.period_start is null then 0
      else tollgate.newly_priced(i.organization_id, i.period_start) end as unpriced_events) n
    left join tollgate.enforcement_states s on s.organization_id = i.organization_id
    order by o.name, o.organization_id;
end
$$;

revoke execute on function public.report_organizations from public, anon;
grant execute on function public.report_organizations to authenticated;
