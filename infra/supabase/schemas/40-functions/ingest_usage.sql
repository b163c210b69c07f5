-- Purpose: record a batch of accepted events, all or nothing: identities → ledger → corrections → rollups → sessions →
--   period totals.
-- Parameters: batch = { "rows": text, "events": [AcceptedEvent, …] }, either or both (see judge_events).
-- Returns: one row. outcomes: jsonb array of { i (0-based, rows first), outcome: duplicate | rejected, conflict? , reason? }
--   for the events that were not simply recorded; totals: see add_period_totals; unpriced: how many events had no price;
--   after_revocation: how many calls were made while their organization was revoked;
--   holds: see settle_reservations.
-- Invariant: an event counts once; guard and effect are one transaction, and the guard comes first.
-- Locks: a share of the periods, identities, pending_corrections, a share of organizations' months, usage_by_month,
--   usage_metrics, usage_by_model, chat_sessions, login_sessions, reserved_totals, usage_by_organization_model, user_quotas,
--   period_totals, in this order, each sorted.
create function public.ingest_usage(batch jsonb)
returns table (outcomes jsonb, totals jsonb, unpriced integer, after_revocation integer, holds jsonb)
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  judged tollgate.judged_event[] := array(select j from tollgate.judge_events(tollgate.unwrap(batch)) j);
  fresh tollgate.judged_event[];       -- usage that counts now
  corrected tollgate.judged_event[];   -- entries of corrections
  entries tollgate.judged_event[];     -- both: what the ledger and every rollup gain
  probes tollgate.judged_event[];
  said tollgate.judged_event[] := '{}'; -- starts and ends of chat sessions
  claimed bigint[];
  taken bigint[];
  with_due_users uuid[] := '{}';
  has_corrections boolean;
  has_sessions boolean;
  has_logins boolean;
  has_holds boolean;
  has_other_periods boolean;
begin
  perform pg_advisory_xact_lock_shared(hashtext('tollgate.periods')); -- no period is closed under what is being recorded
  -- Looked for once: almost every batch is new usage of the present period and nothing else, and each look at all of it costs.
  select coalesce(bool_or(j.type = 'usage.corrected'), false), coalesce(bool_or(j.type like 'session.%'), false),
    coalesce(bool_or(j.type like 'login.%'), false), coalesce(bool_or(j.reservation_id is not null), false),
    coalesce(bool_or(not j.is_current_period), false), count(*) filter (where j.unpriced_events > 0),
    count(*) filter (where j.after_revocation)
  into has_corrections, has_sessions, has_logins, has_holds, has_other_periods, unpriced, after_revocation
  from unnest(judged) j;

  select * into claimed, probes from tollgate.claim_identities(judged);
  fresh := judged;
  outcomes := '[]';
  if cardinality(claimed) < cardinality(judged) then
    fresh := tollgate.pick_events(judged, claimed);
    outcomes := tollgate.list_outcomes(judged, fresh);
    select count(*) filter (where f.unpriced_events > 0), count(*) filter (where f.after_revocation)
    into unpriced, after_revocation from unnest(fresh) f;
  end if;
  if has_other_periods then -- the present period is never closed
    fresh := tollgate.post_to_open_periods(fresh);
  end if;
  perform tollgate.append_ledger(fresh);
  entries := fresh;
  if has_corrections or exists (select from tollgate.pending_corrections) then
    select * into corrected, taken from tollgate.apply_corrections(judged, fresh, probes);
    corrected := tollgate.post_to_open_periods(corrected);
    perform tollgate.append_ledger(corrected);
    entries := fresh || corrected;
  end if;
  if has_other_periods or cardinality(corrected) > 0 then -- no day of the present period is folded
    perform tollgate.unfold_months(
      array(select e.organization_id from unnest(entries) e), array(select e.usage_date from unnest(entries) e));
  end if;
  perform tollgate.roll_up_days(entries);
  if has_sessions then
    said := array(select j from unnest(judged) j where j.type like 'session.%' and j.rejection is null);
  end if;
  perform tollgate.roll_up_sessions(entries, said);
  if has_logins then
    perform tollgate.record_logins(array(
      select j from unnest(judged) j where j.type like 'login.%' and j.rejection is null));
  end if;
  holds := '{"settled": 0, "late": 0, "excess_tokens": 0}';
  if has_holds then
    holds := tollgate.settle_reservations(judged, fresh);
  end if;
  perform tollgate.roll_up_organization_models(entries);
  if tollgate.limits_users() then
    with_due_users := tollgate.mark_due_users(
      array(select e.organization_id from unnest(entries) e), array(select e.user_id from unnest(entries) e));
  end if;
  totals := tollgate.add_period_totals(entries, with_due_users);
  if has_corrections then
    outcomes := outcomes || tollgate.list_correction_outcomes(judged, taken);
  end if;
  return next;
end
$$;

revoke execute on function public.ingest_usage from public, anon, authenticated;
grant execute on function public.ingest_usage to tollgate_usage_worker, service_role;
