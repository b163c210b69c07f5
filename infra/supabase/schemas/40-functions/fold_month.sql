-- Purpose: until when months may be folded: what is recorded on a day before it belongs to another period than the present
--   one, by which ingest_usage knows that it may have to unfold. Parameters: for_organization. Returns: the first day that is
--   not over. Reads only. A day's grace for what is being recorded, and three for a time zone that is just being changed.
create function tollgate.foldable_before(for_organization uuid) returns date
language sql stable security invoker set search_path = ''
as $$
  select least((p.period_start at time zone p.time_zone)::date, (now() at time zone 'UTC')::date - 3)
  from tollgate.organization_period(for_organization, now() - interval '1 day') p
$$;

-- Purpose: what usage_by_month has to say of a month: the sums of its days, by user and by model. Parameters:
--   for_organization, for_month (its first day). Returns: rows of usage_by_month. Reads only.
create function tollgate.month_sums(for_organization uuid, for_month date) returns setof tollgate.usage_by_month
language sql stable security invoker set search_path = ''
as $$
  select for_organization, for_month, m.user_id, null, sum(m.tokens_used)::bigint, sum(m.input_tokens)::bigint,
    sum(m.output_tokens)::bigint, null::bigint, null::bigint, null::bigint, sum(m.cost_usd), sum(m.charge_usd),
    sum(m.message_count)::bigint, sum(m.event_count)::bigint, sum(m.unpriced_events)::bigint
  from public.usage_metrics m
  where m.organization_id = for_organization and m.date >= for_month and m.date < (for_month + interval '1 month')::date
  group by m.user_id
  union all
  select for_organization, for_month, null, m.model, sum(m.total_tokens)::bigint, sum(m.input_tokens)::bigint,
    sum(m.output_tokens)::bigint, sum(m.cache_read_input_tokens)::bigint, sum(m.cache_creation_input_tokens)::bigint,
    sum(m.reasoning_output_tokens)::bigint, sum(m.cost_usd), sum(m.charge_usd), sum(m.message_count)::bigint,
    sum(m.event_count)::bigint, sum(m.unpriced_events)::bigint
  from tollgate.usage_by_organization_model m
  where m.organization_id = for_organization and m.date >= for_month and m.date < (for_month + interval '1 month')::date
  group by m.model
$$;

-- Purpose: fold a month that is over, anew where it was folded before. Parameters: as above. Returns: whether it was: not
--   while somebody records usage of a past month of this organization.
-- Locks: the organization's months, in a statement of its own before the days are read: whoever changes one of them has
--   committed by then, or waits and unfolds the month. Nothing is waited for.
create function tollgate.fold_month(for_organization uuid, for_month date) returns boolean
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  if not pg_try_advisory_xact_lock(hashtext('tollgate.months'), hashtext(for_organization::text)) then
    return false;
  end if;
  delete from tollgate.usage_by_month f where f.organization_id = for_organization and f.month = for_month;
  insert into tollgate.usage_by_month select s.* from tollgate.month_sums(for_organization, for_month) s;
  return true;
end
$$;

-- Purpose: have months read by the day again, since one of their days changes in this transaction. Parameters:
--   of_organizations, of_days: arrays of the same length. Returns: nothing.
-- Locks: a share of the organizations' months, then rows of usage_by_month, each sorted; called before any rollup is locked.
create function tollgate.unfold_months(of_organizations uuid[], of_days date[]) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock_shared(hashtext('tollgate.months'), o.key)
  from (select distinct hashtext(u::text) as key from unnest(of_organizations) u order by key) o;
  perform from tollgate.usage_by_month f
  where (f.organization_id, f.month) in (
    select d.organization_id, date_trunc('month', d.day::timestamp)::date
    from unnest(of_organizations, of_days) d (organization_id, day))
  order by f.organization_id, f.month, f.user_id, f.model
  for update;
  delete from tollgate.usage_by_month f
  where (f.organization_id, f.month) in (
    select d.organization_id, date_trunc('month', d.day::timestamp)::date
    from unnest(of_organizations, of_days) d (organization_id, day));
end
$$;

-- Purpose: compare a month that is folded with its days, and where asked fold what is over and is not, or is off.
-- Parameters: for_organization, for_month, repair. Returns: drift (rows that are off) and changed, as check_slice.
-- Locks: see fold_month. Invariant: one statement compares, so one snapshot: a month that is being unfolded is no drift.
--   Nothing is folded before the organization has a period: until then its days may follow another calendar at once.
create function tollgate.check_month(
  for_organization uuid, for_month date, repair boolean, out drift jsonb, out changed boolean)
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('rollup', 'usage_by_month', 'organization_id', for_organization,
    'at', for_month, 'user_id', d.user_id, 'model', d.model, 'tokens_off', d.tokens_off::text, 'cost_off', d.cost_off::text))), '[]')
  into drift
  from (
    select coalesce(s.user_id, f.user_id) as user_id, coalesce(s.model, f.model) as model,
      coalesce(s.total_tokens, 0) - coalesce(f.total_tokens, 0) as tokens_off,
      coalesce(s.cost_usd, 0) - coalesce(f.cost_usd, 0) as cost_off
    from tollgate.month_sums(for_organization, for_month) s
    full join (
      select u.* from tollgate.usage_by_month u where u.organization_id = for_organization and u.month = for_month) f
      on coalesce(f.user_id::text, '') = coalesce(s.user_id::text, '') and coalesce(f.model, '') = coalesce(s.model, '')
    where s is distinct from f and exists (
      select from tollgate.usage_by_month u where u.organization_id = for_organization and u.month = for_month)
    limit 1000) d;
  changed := repair and (for_month + interval '1 month')::date <= tollgate.foldable_before(for_organization)
    and exists (select from tollgate.period_totals t where t.organization_id = for_organization)
    and (drift <> '[]' or not exists (
      select from tollgate.usage_by_month f where f.organization_id = for_organization and f.month = for_month))
    and tollgate.fold_month(for_organization, for_month);
end
$$;

grant execute on function tollgate.foldable_before, tollgate.month_sums, tollgate.fold_month, tollgate.unfold_months,
  tollgate.check_month to tollgate_usage_worker, service_role;
