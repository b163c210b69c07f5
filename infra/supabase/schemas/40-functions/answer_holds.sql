-- Purpose: say what became of requests for holds. Parameters: requests; budgets as they were before; grants (what was decided
--   on the new ones). Returns: see reserve_tokens. Reads only.
-- Invariant: a hold is found by its id or its idempotency key; another request under the same key is a conflict.
create function tollgate.answer_holds(
  requests tollgate.hold_request[], budgets tollgate.hold_budget[], grants tollgate.hold_grant[])
returns table (
  i integer, outcome text, id uuid, total_tokens text, state text, expires_at timestamptz, remaining_tokens text,
  refusal jsonb, retry_at timestamptz, decision_id uuid, organization_id uuid, limit_tokens text, used_tokens text,
  reserved_tokens text, period_start timestamptz, period_end timestamptz, as_of timestamptz)
language sql stable security invoker set search_path = '' set enable_nestloop = off
as $$
  with answer as materialized (
    select r.*, coalesce(
      (select h from tollgate.reservations h where h.id = r.id),
      case when r.idempotency_key is not null then (select h from tollgate.reservations h
        where h.organization_id = r.organization_id and h.idempotency_key = r.idempotency_key) end) as hold
    from unnest(requests) r
  ), budget as materialized (
    select b.*, b.ordinality::integer as place,
      (select t.reserved_tokens from tollgate.reserved_totals t where t.organization_id = b.organization_id) as held_now
    from unnest(budgets) with ordinality b
  )
  select r.ordinal - 1,
    case
      when o.organization_id is null then 'unknown_organization'
      when (r.hold).id is null then case when b.is_closed then 'closed' else 'refused' end
      when ((r.hold).user_id, (r.hold).session_id, (r.hold).total_tokens) <> (r.user_id, r.session_id, r.total_tokens) then 'conflict'
      else 'held' end,
    (r.hold).id, (r.hold).total_tokens::text, (r.hold).state, (r.hold).expires_at,
    case when o.limit_tokens is not null or g.ordinal is not null then
      greatest(0, coalesce(g.room, o.limit_tokens - o.used_tokens - o.held_now)) end::text,
    case when (r.hold).id is null and b.place is not null then jsonb_build_object(
      'scope', b.scope, 'limit_tokens', b.limit_tokens::text, 'used_tokens', b.used_tokens::text, 'reason', b.state_reason,
      'reserved_tokens', case b.scope when 'organization' then b.held_now else b.reserved_tokens end::text) end,
    case
      when (r.hold).id is not null or b.place is null then null
      when b.is_closed or b.used_tokens + r.total_tokens > b.limit_tokens then b.period_end -- no hold that ends makes room for it
      else greatest(now(), coalesce((
        select min(e.expires_at) from tollgate.reservations e
        where e.organization_id = r.organization_id and e.state in ('held', 'committing')), now())) + interval '1 second'
    end,
    coalesce(b.decision_id, o.decision_id),
    r.organization_id, o.limit_tokens::text, o.used_tokens::text, o.held_now::text, o.period_start, o.period_end,
    clock_timestamp()
  from answer r
  left join unnest(grants) g on g.ordinal = r.ordinal
  left join budget o on o.organization_id = r.organization_id and o.scope = 'organization'
  left join budget b on b.place = g.refused_by
  order by r.ordinal
$$;

grant execute on function tollgate.answer_holds to tollgate_token_api, service_role;
