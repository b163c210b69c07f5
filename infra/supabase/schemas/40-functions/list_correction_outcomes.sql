-- Purpose: say which corrections of a batch changed nothing. Parameters: judged (all events), taken: ordinals of those that
--   did or wait now. Returns: jsonb array of { i (0-based), outcome: duplicate, conflict } or { i, outcome: rejected, reason }.
-- Invariant: a revision that comes again with other counts is a conflict; one that a higher revision has overtaken is none.
--   What counted and has no entry any more lies in a sealed month: what held of it is not known, so nothing can be reversed.
create function tollgate.list_correction_outcomes(judged tollgate.judged_event[], taken bigint[]) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object('i', j.ordinal - 1) || case when exists (
    select from tollgate.usage_event_identities i
    where i.organization_id = j.organization_id and i.digest = j.digest
      and not exists (select from tollgate.standing_entries(i.organization_id, i.digest, i.seen_at)))
  then '{"outcome": "rejected", "reason": "month_sealed"}'::jsonb
  else jsonb_build_object('outcome', 'duplicate', 'conflict', exists (
    select from (
      select e.input_tokens, e.output_tokens, e.cache_read_input_tokens, e.cache_creation_input_tokens,
        e.reasoning_output_tokens, e.message_count
      from tollgate.usage_events e
      where e.organization_id = j.organization_id and e.digest = j.digest and e.entry <> 'usage'
        and e.entry = 'replacement' and e.revision = j.revision
      union all
      select p.input_tokens, p.output_tokens, p.cache_read_input_tokens, p.cache_creation_input_tokens,
        p.reasoning_output_tokens, coalesce(p.message_count, j.message_count)
      from tollgate.pending_corrections p
      where p.organization_id = j.organization_id and p.digest = j.digest and p.revision = j.revision
    ) known
    where (known.input_tokens, known.output_tokens, known.cache_read_input_tokens, known.cache_creation_input_tokens,
        known.reasoning_output_tokens, coalesce(known.message_count, j.message_count, 0))
      <> (j.input_tokens, j.output_tokens, j.cache_read_input_tokens, j.cache_creation_input_tokens,
        j.reasoning_output_tokens, coalesce(j.message_count, known.message_count, 0)))) end order by j.ordinal), '[]')
  from unnest(judged) j
  where j.type = 'usage.corrected' and j.rejection is null and j.ordinal <> all (taken)
$$;

grant execute on function tollgate.list_correction_outcomes to tollgate_usage_worker, service_role;
