-- Purpose: an entry whose own period is closed posts to the organization's present one, and says where it came from.
-- Parameters: entries. Returns: the same entries, in the same order. Reads only.
-- Invariant: what a statement froze never changes. The caller holds a share of the lock of the periods, taken in a
--   statement of its own before, so that no period is closed between this look and its commit.
create function tollgate.post_to_open_periods(entries tollgate.judged_event[]) returns tollgate.judged_event[]
language sql stable security invoker set search_path = ''
as $$
  select case
    -- The present period is never closed: a batch of fresh usage ends here.
    when not exists (select from unnest(entries) e where not e.is_current_period) then entries
    when not exists (
      select from unnest(entries) e
      join tollgate.period_statements s on s.organization_id = e.organization_id and s.period_start = e.period_start
      where not e.is_current_period) then entries
    else array(
      select case when s.organization_id is null then u.entry else jsonb_populate_record(u.entry, jsonb_build_object(
        'original_period_start', (u.entry).period_start, 'is_current_period', true,
        'period_start', (select c.period_start from tollgate.organization_period((u.entry).organization_id) c))) end
      from (select e as entry, row_number() over () as position from unnest(entries) e) u
      left join tollgate.period_statements s
        on s.organization_id = (u.entry).organization_id and s.period_start = (u.entry).period_start
      order by u.position)
  end
$$;

grant execute on function tollgate.post_to_open_periods to tollgate_usage_worker, service_role;
