-- Purpose: keep corrections until their originals arrive. Parameters: corrections, the highest revision of each original.
-- Returns: those that were kept; the others bring no news.
-- Locks: rows of pending_corrections in the order of their primary key. Invariant: the highest revision waits.
create function tollgate.hold_corrections(corrections tollgate.judged_event[]) returns bigint[]
language sql volatile security invoker set search_path = ''
as $$
  with held as (
    insert into tollgate.pending_corrections as t (
      organization_id, digest, revision, input_tokens, output_tokens, cache_read_input_tokens,
      cache_creation_input_tokens, reasoning_output_tokens, total_tokens, message_count, received_at)
    select c.organization_id, c.digest, c.revision, c.input_tokens, c.output_tokens, c.cache_read_input_tokens,
      c.cache_creation_input_tokens, c.reasoning_output_tokens, c.total_tokens, c.message_count, c.received_at
    from unnest(corrections) c
    order by c.organization_id, c.digest
    on conflict (organization_id, digest) do update set
      revision = excluded.revision, input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens,
      cache_read_input_tokens = excluded.cache_read_input_tokens,
      cache_creation_input_tokens = excluded.cache_creation_input_tokens,
      reasoning_output_tokens = excluded.reasoning_output_tokens, total_tokens = excluded.total_tokens,
      message_count = excluded.message_count, received_at = excluded.received_at
    where excluded.revision > t.revision
    returning t.organization_id, t.digest
  )
  select coalesce(array_agg(c.ordinal), '{}')
  from unnest(corrections) c join held h on h.organization_id = c.organization_id and h.digest = c.digest
$$;

grant execute on function tollgate.hold_corrections to tollgate_usage_worker, service_role;
