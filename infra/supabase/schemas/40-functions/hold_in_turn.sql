-- Purpose: hold LLM tokens where not everything is new and fits: decide on one request after the other, first come, first served.
-- Parameters: requests; wholes (the budgets of their organizations, whose holds the caller has locked; absent: unknown);
--   held_at. Returns: a row a request, as reserve_tokens does. Locks: none of its own beside the rows that it changes.
-- Invariant: that of reserve_tokens.
create function tollgate.hold_in_turn(
  requests tollgate.hold_request[], wholes tollgate.hold_budget[], held_at timestamptz)
returns table (
  i integer, outcome text, id uuid, total_tokens text, state text, expires_at timestamptz, remaining_tokens text,
  refusal jsonb, retry_at timestamptz, decision_id uuid, organization_id uuid, limit_tokens text, used_tokens text,
  reserved_tokens text, period_start timestamptz, period_end timestamptz, as_of timestamptz)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  budgets tollgate.hold_budget[] := tollgate.hold_budgets(requests, coalesce(wholes, '{}'));
  fresh tollgate.hold_request[] := array(
    select q.request from (
      select r as request, r.*, row_number() over (
        partition by r.organization_id, coalesce(r.idempotency_key, r.id::text) order by r.ordinal) as turn
      from unnest(requests) r) q
    -- Subqueries, not joins: whatever the planner takes the table's size to be, each is one look into an index.
    where q.turn = 1
      and (select h.id from tollgate.reservations h where h.id = q.id) is null
      and (q.idempotency_key is null or (select h.id from tollgate.reservations h
        where h.organization_id = q.organization_id and h.idempotency_key = q.idempotency_key) is null)
    order by q.ordinal);
  grants tollgate.hold_grant[] := tollgate.grant_holds(fresh, budgets);
begin
  -- One statement holds, counts and answers: one of its own that answers would look up each hold that was just made.
  return query
    with held as (
      insert into tollgate.reservations as n (
        id, organization_id, user_id, session_id, total_tokens, created_at, expires_at, idempotency_key)
      select r.id, r.organization_id, r.user_id, r.session_id, r.total_tokens, held_at,
        held_at + r.ttl_seconds * interval '1 second', r.idempotency_key
      from unnest(fresh) r
      where r.ordinal not in (select g.ordinal from unnest(grants) g where g.refused_by is not null)
        and r.organization_id in (select b.organization_id from unnest(budgets) b)
      returning n as hold
    ), total as (
      update tollgate.reserved_totals t set reserved_tokens = t.reserved_tokens + h.total_tokens, updated_at = now()
      from (select (n.hold).organization_id, sum((n.hold).total_tokens)::bigint as total_tokens from held n group by 1) h
      where t.organization_id = h.organization_id
      returning t.organization_id, h.total_tokens
    ), budget as materialized (
      -- Not what the total says: leases that have run out may not all have been taken off it yet.
      select b.*, b.ordinality::integer as place, b.reserved_tokens + coalesce(t.total_tokens, 0) as held_now
      from unnest(budgets) with ordinality b left join total t on t.organization_id = b.organization_id
    ), answer as materialized (
      select r.*, min(r.ordinal) over (partition by r.organization_id, coalesce(r.idempotency_key, r.id::text)) as first,
        row_number() over (partition by r.organization_id order by r.ordinal) = 1 as is_first,
        coalesce(n.hold,
          (select h from tollgate.reservations h where h.id = r.id),
          case when r.idempotency_key is not null then (select h from tollgate.reservations h
            where h.organization_id = r.organization_id and h.idempotency_key = r.idempotency_key) end) as hold
      from unnest(requests) r
      left join held n on (n.hold).organization_id = r.organization_id
        and coalesce((n.hold).idempotency_key, (n.hold).id::text) = coalesce(r.idempotency_key, r.id::text)
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
          select min(e.expires_at) from (
            select h.expires_at from tollgate.reservations h
            where h.organization_id = r.organization_id and h.state in ('held', 'committing')
            union all
            select (n.hold).expires_at from held n where (n.hold).organization_id = r.organization_id) e), now()))
          + interval '1 second'
      end,
      coalesce(b.decision_id, o.decision_id), r.organization_id,
      p.limit_tokens::text, p.used_tokens::text, p.held_now::text, p.period_start, p.period_end,
      case when p.place is not null then clock_timestamp() end
    from answer r
    -- A repetition in the same batch is answered as the first.
    left join unnest(grants) g on g.ordinal = r.first
    left join budget o on o.organization_id = r.organization_id and o.scope = 'organization'
    left join budget p on p.place = o.place and r.is_first
    left join budget b on b.place = g.refused_by
    order by r.ordinal;
end
$$;

grant execute on function tollgate.hold_in_turn to tollgate_token_api, service_role;
