-- Purpose: which dead letters an operator means. Parameters: selection = { ids?: [text], queue?, reason? }; what is
--   absent or null does not restrict. Returns: their ids. Reads only.
create function tollgate.select_dead_letters(selection jsonb) returns setof bigint
language sql stable security invoker set search_path = ''
as $$
  select d.id from tollgate.dead_letters d
  where (jsonb_typeof(selection -> 'ids') is distinct from 'array'
      or d.id in (select i.id::bigint from jsonb_array_elements_text(selection -> 'ids') i (id)))
    and d.queue = coalesce(selection ->> 'queue', d.queue)
    and d.reason = coalesce(selection ->> 'reason', d.reason)
$$;

-- Purpose: the events that a dead letter holds. Parameters: payload (an event, a list of events, or a job with `events` or
--   `rows`).
-- Returns: jsonb array of events; null when the payload is not readable as any of them.
-- Invariant: never an exception: one letter that jsonb refuses must not keep its neighbours from being replayed.
create function tollgate.read_dead_letter(payload text) returns jsonb
language plpgsql stable security invoker set search_path = ''
as $$
declare
  content jsonb;
begin
  content := payload::jsonb;
  return case
    when jsonb_typeof(content) = 'array' then content
    when jsonb_typeof(content -> 'events') = 'array' then content -> 'events'
    when jsonb_typeof(content -> 'rows') = 'string' then (
      select jsonb_agg(jsonb_strip_nulls(to_jsonb(r) - 'ordinality') || '{"type": "usage.recorded"}' order by r.ordinality)
      from unnest(string_to_array(content ->> 'rows', E'\n')::tollgate.usage_row[]) with ordinality r)
    when jsonb_typeof(content -> 'type') = 'string' then jsonb_build_array(content)
  end;
exception when data_exception then -- 22xxx: not JSON, or a character that jsonb does not take
  return null;
end
$$;

grant execute on function tollgate.select_dead_letters, tollgate.read_dead_letter to service_role;
