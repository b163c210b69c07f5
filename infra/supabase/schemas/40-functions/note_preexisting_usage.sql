-- Purpose: note what a row of usage_metrics came with that no event accounts for: usage from before Tollgate.
-- Parameters: none (trigger on insert). Returns: nothing. Locks: the new row.
-- Rights: its owner's, since whoever copies usage in need not know of the note.
-- Invariant: only days up to the installation; what the ledger already explains is not noted, so nothing counts twice.
create function tollgate.note_preexisting_usage() returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into tollgate.preexisting_usage (organization_id, user_id, date, tokens_used, output_tokens, cost_usd, charge_usd,
    message_count, unpriced_events)
  select new.organization_id, new.user_id, new.date, new.tokens_used, new.output_tokens, new.cost_usd, new.charge_usd,
    new.message_count, new.unpriced_events
  from tollgate.installation i
  -- The latest day that it was anywhere when Tollgate was installed.
  where new.date <= (i.installed_at at time zone 'UTC' + interval '14 hours')::date and not exists (
    select from tollgate.day_entries d
    where d.organization_id = new.organization_id and d.date = new.date and d.user_id = new.user_id)
  on conflict do nothing;
  return null;
end
$$;

revoke execute on function tollgate.note_preexisting_usage from public;

-- A row that Tollgate itself inserts has events, or nothing at all: it never gets as far as the function.
create trigger note_preexisting_usage after insert on public.usage_metrics
for each row when (new.event_count = 0 and (new.tokens_used > 0 or new.cost_usd > 0 or new.message_count > 0))
execute function tollgate.note_preexisting_usage();

-- Purpose: have the month of such a row read by the day again. Parameters: none (trigger before insert). Returns: the row as it is.
-- Locks: see unfold_months; before the row itself, as whoever records usage of a past month. Rights: as above.
create function tollgate.unfold_copied_usage() returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform tollgate.unfold_months(array[new.organization_id], array[new.date]);
  return new;
end
$$;

revoke execute on function tollgate.unfold_copied_usage from public;

create trigger unfold_copied_usage before insert on public.usage_metrics
for each row when (new.event_count = 0 and (new.tokens_used > 0 or new.cost_usd > 0 or new.message_count > 0))
execute function tollgate.unfold_copied_usage();
