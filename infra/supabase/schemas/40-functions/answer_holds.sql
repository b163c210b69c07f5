-- Purpose: say what became of requests for holds. Parameters: requests; budgets as they were before; granted =
--   { ordinal: { refused_by, room } } of the new ones that have a limit. Returns: see reserve_tokens. Reads only.
-- Invariant: a hold is found by its id or its idempotency key; another request under the same key is a conflict.
create function tollgate.answer_holds(
  requests tollgate.hold_request[], budgets tollgate.hold_budget[], granted jsonb)
returns table (
  i integer, outcome text, id uuid, total_tokens text, state text, expires_at timestamptz, remaining_tokens text,
  refusal jsonb, retry_at timestamptz, decision_id uuid, organization_id uuid, limit_tokens text, used_tokens text,
  reserved_tokens text, period_start timestamptz, period_end timestamptz, as_of timestamptz)
language sql stable security invoker set search_path = '' set enable_nestloop = off
as $$
  with answer as (
    select r.*, granted -> r.ordinal::text as verdict,
      coalesce(
        (select h from tollgate.reservations h where h.id = r.id),
        (select h from tollgate.reservations h
          where h.organization_id = r.organization_id and h.idempotency_key = r.idempotency_key)) as hold
    from unnest(requests) r
  ), budget as (
    select b.*, b.ordinality::integer as place,
      (select t.reserved_tokens from tollgate.reserved_totals t where t.organization_id = b.organization_id) as held_now
    from unnest(budgets) with ordinality b
  )
  select a.ordinal - 1,
    case
      when o.organization_id is null then 'unknown_organization'
      when (a.hold).id is null then 'refused'
      when ((a.hold).user_id, (a.hold).session_id, (a.hold).total_tokens) <> (a.user_id, a.session_id, a.total_tokens)
        then 'conflict'
      else 'held' end,
    (a.hold).id, (a.hold).total_tokens::text, (a.hold).state, (a.hold).expires_at,
    case when o.limit_tokens is not null or a.verdict is not null then
      greatest(0, coalesce((a.verdict ->> 'room')::bigint, o.limit_tokens - o.used_tokens - o.held_now)) end::text,
    case when (a.hold).id is null and b.place is not null then jsonb_build_object(
      'scope', b.scope, 'limit_tokens', b.limit_tokens::text, 'used_tokens', b.used_tokens::text,
      'reserved_tokens', case b.scope when 'organization' then b.held_now else b.reserved_tokens end::text) end,
    case
      when (a.hold).id is not null or b.place is null then null
      when b.used_tokens + a.total_tokens > b.limit_tokens then b.period_end -- no hold that ends makes room for it
      else greatest(now(), coalesce((
        select min(h.expires_at) from tollgate.reservations h
        where h.organization_id = a.organization_id and h.state in ('held', 'committing')), now())) + interval '1 second'
    end,
    (select s.decision_id from tollgate.enforcement_states s where s.organization_id = a.organization_id),
    a.organization_id, o.limit_tokens::text, o.used_tokens::text, o.held_now::text, o.period_start, o.period_end,
    clock_timestamp()
  from answer a
  left join budget o on o.organization_id = a.organization_id and o.scope = 'organization'
  left join budget b on b.place = (a.verdict ->> 'refused_by')::integer
  order by a.ordinal
$$;

grant execute on function tollgate.answer_holds to tollgate_token_api, service_role;
