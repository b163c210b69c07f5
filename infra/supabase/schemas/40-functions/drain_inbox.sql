-- Purpose: record what was accepted while Redis was away. Parameters: max_rows = most inbox rows of one call.
-- Returns: one row: drained (inbox rows taken), recorded and duplicates (events), totals, unpriced, after_revocation and
--   holds as of ingest_usage, rejected:
--   jsonb array of { reason, event }; buried: events set aside as dead letters, corrections of sealed months among them.
-- Locks: inbox rows (skip locked, so that workers share the work), then those of ingest_usage.
-- Invariant: recording and removing from the inbox are one transaction. Where one row alone was taken and the database
--   refuses its content (SQLSTATE class 22 or 23), that very row is buried; any other failure is the caller's to repeat.
create function public.drain_inbox(max_rows integer)
returns table (
  drained integer, recorded integer, duplicates integer, totals jsonb, unpriced integer, after_revocation integer,
  rejected jsonb, holds jsonb, buried integer)
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  ids bigint[];
  events jsonb;
  result record;
begin
  select array_agg(i.id), count(*) into ids, drained from (
    select id from tollgate.event_inbox order by id limit max_rows for update skip locked) i;
  recorded := 0; duplicates := 0; totals := '[]'; unpriced := 0; after_revocation := 0; rejected := '[]'; buried := 0;
  holds := '{"settled": 0, "late": 0, "excess_tokens": 0}';
  if drained > 0 then
    select jsonb_agg(e.event) into events
    from tollgate.event_inbox i cross join lateral jsonb_array_elements(i.events) e(event) where i.id = any(ids);
    begin
      select * into result from public.ingest_usage(jsonb_build_object('events', events));
    exception when others then
      if drained > 1 or left(sqlstate, 2) not in ('22', '23') then
        raise;
      end if;
      buried := tollgate.bury_inbox_row(ids[1], sqlerrm);
      return next;
      return;
    end;
    delete from tollgate.event_inbox where id = any(ids);
    recorded := jsonb_array_length(events) - jsonb_array_length(result.outcomes);
    duplicates := (select count(*) from jsonb_array_elements(result.outcomes) o where o ->> 'outcome' = 'duplicate');
    totals := result.totals;
    unpriced := result.unpriced;
    after_revocation := result.after_revocation;
    holds := result.holds;
    rejected := coalesce((
      select jsonb_agg(jsonb_build_object('reason', o -> 'reason', 'event', events -> (o ->> 'i')::int))
      from jsonb_array_elements(result.outcomes) o where o ->> 'outcome' = 'rejected'), '[]');
    insert into tollgate.dead_letters (queue, reason, payload)
    select 'event-inbox', r ->> 'reason', (r -> 'event')::text
    from jsonb_array_elements(rejected) r where r ->> 'reason' = 'month_sealed';
    get diagnostics buried = row_count;
  end if;
  return next;
end
$$;

revoke execute on function public.drain_inbox from public, anon, authenticated;
grant execute on function public.drain_inbox to tollgate_usage_worker, service_role;
