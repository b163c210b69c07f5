-- Purpose: calls of closed periods whose price or void posted to a period: its unpriced_events count them with a minus, that
--   would hide as many of its own. Parameters: for_organization, for_period (its start). Returns: a count, to be added.
-- Invariant: by own period and model, as the statement lists them; reads what is postponed to the period alone.
create function tollgate.newly_priced(for_organization uuid, for_period timestamptz) returns bigint
language sql stable security invoker set search_path = ''
as $$
  select coalesce(-sum(least(l.unpriced_events, 0)), 0)::bigint
  from (
    select sum(p.unpriced_events) as unpriced_events
    from (
      select u.original_period_start, u.model, u.unpriced_events::bigint
      from tollgate.usage_events u
      where u.organization_id = for_organization and u.original_period_start is not null and u.period_start = for_period
      union all
      select s.original_period_start, s.model, s.unpriced_events
      from tollgate.sealed_postings s
      where s.organization_id = for_organization and s.period_start = for_period and s.original_period_start <> for_period
    ) p
    group by p.original_period_start, p.model
  ) l
$$;

grant execute on function tollgate.newly_priced to service_role;
