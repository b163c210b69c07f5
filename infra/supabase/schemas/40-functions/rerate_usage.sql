-- Purpose: re-rate one day of an organization, or a share of it: show the difference, or post it.
-- Parameters: request = { organization_id, date, bucket, buckets, model? (null: all), dry_run }.
-- Returns: a row a model: model, events, newly_priced, cost_difference and charge_difference (as text).
-- Locks: re-rates of the organization one after the other; a share of the books, since who has read a partition and then
--   writes to it must not meet whoever makes or drops one; a share of the periods; identities of the events against
--   corrections; then as ingest_usage: usage_metrics, usage_by_model, chat_sessions, usage_by_organization_model,
--   user_quotas, period_totals, each sorted.
-- Invariant: repeatable: what is posted is the difference to what is in the ledger.
create function public.rerate_usage(request jsonb)
returns table (model text, events integer, newly_priced integer, cost_difference text, charge_difference text)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
  entries tollgate.judged_event[];
begin
  select r.* into asked from jsonb_to_record(tollgate.unwrap(request)) as r (
    organization_id uuid, date date, bucket integer, buckets integer, model text, dry_run boolean);
  if not asked.dry_run then
    perform pg_advisory_xact_lock(hashtext('tollgate.rerate'), hashtext(asked.organization_id::text));
    perform pg_advisory_xact_lock_shared(hashtext('tollgate.books'));
    perform pg_advisory_xact_lock_shared(hashtext('tollgate.periods'));
    perform from tollgate.usage_event_identities i
    where i.organization_id = asked.organization_id and i.digest in (
      select e.digest from tollgate.usage_events e
      where e.organization_id = asked.organization_id and e.usage_date = asked.date
        and (asked.model is null or e.model = asked.model) and get_byte(e.digest, 0) % asked.buckets = asked.bucket)
    order by i.organization_id, i.digest for update;
  end if;
  entries := array(select e from tollgate.rerate_entries(
    asked.organization_id, asked.date, asked.bucket, asked.buckets, asked.model) e);
  if not asked.dry_run and cardinality(entries) > 0 then
    perform tollgate.post_entries(entries);
    perform tollgate.record_audit('cli', 'usage.rerated', 'organization:' || asked.organization_id,
      tollgate.unwrap(request) || jsonb_build_object('entries', cardinality(entries)));
  end if;
  return query
    select e.model, count(*)::integer, (-sum(e.unpriced_events))::integer, sum(e.cost_usd)::text, sum(e.charge_usd)::text
    from unnest(entries) e group by e.model order by e.model;
end
$$;

-- Purpose: post adjusting entries that came by no event. Parameters: entries. Returns: nothing.
-- Locks: as ingest_usage, after the identities. Invariant: an entry of a closed period posts to the open one.
create function tollgate.post_entries(entries tollgate.judged_event[]) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  posted tollgate.judged_event[];
  with_due_users uuid[];
begin
  perform pg_advisory_xact_lock_shared(hashtext('tollgate.periods'));
  posted := tollgate.post_to_open_periods(entries);
  perform tollgate.append_ledger(posted);
  perform tollgate.unfold_months(
    array(select e.organization_id from unnest(posted) e), array(select e.usage_date from unnest(posted) e));
  perform tollgate.roll_up_days(posted);
  perform tollgate.roll_up_sessions(posted);
  perform tollgate.roll_up_organization_models(posted);
  with_due_users := tollgate.mark_due_users(
    array(select e.organization_id from unnest(posted) e), array(select e.user_id from unnest(posted) e));
  perform tollgate.add_period_totals(posted, with_due_users);
end
$$;

revoke execute on function public.rerate_usage from public, anon, authenticated;
grant execute on function public.rerate_usage, tollgate.post_entries to service_role;
