-- Purpose: hold LLM tokens for calls that are about to begin: all budgets of a request together, or nothing.
-- Parameters: batch = { "requests": [{ id, organization_id, user_id, session_id, total_tokens, ttl_seconds,
--   idempotency_key? }, …], "observe"? (true: nobody is to be refused) }, in the order in which they came; of members of
--   their organizations.
-- Returns: a row a request: i (0-based), outcome (held | refused | closed: the organization or user is revoked | conflict: the
--   key was used for another request | unknown_organization), the hold (also a repeated one), remaining_tokens of the tightest
--   budget (null: no limit), refusal = { scope, limit_tokens, used_tokens, reserved_tokens, reason } and retry_at, decision_id
--   (why whatever refused, else the organization, stands where it stands), and where the organization stands.
-- Locks: reserved_totals of the organizations, sorted, before anything is read: whoever adds usage that settles a hold
--   has the same lock, so used + held is never read too low. Then grants that are to be settled.
-- Invariant: used + open holds never passes a limit by a grant; an id or key that is repeated holds once, and another request
--   under the same key is a conflict. Whoever is revoked,
--   by the ladder or by hand, holds nothing.
create function public.reserve_tokens(batch jsonb)
returns table (
  i integer, outcome text, id uuid, total_tokens text, state text, expires_at timestamptz, remaining_tokens text,
  refusal jsonb, retry_at timestamptz, decision_id uuid, organization_id uuid, limit_tokens text, used_tokens text,
  reserved_tokens text, period_start timestamptz, period_end timestamptz, as_of timestamptz)
language plpgsql volatile security invoker set search_path = ''
-- Short statements of many parts: compiling or planning them anew would take longer than running them.
set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  requests tollgate.hold_request[] := array(
    select (r.ordinality, r.id, r.organization_id, r.user_id, r.session_id, r.total_tokens, r.ttl_seconds,
      r.idempotency_key)::tollgate.hold_request
    from rows from (jsonb_to_recordset(tollgate.unwrap(batch) -> 'requests') as (
      id uuid, organization_id uuid, user_id uuid, session_id text, total_tokens bigint, ttl_seconds integer,
      idempotency_key text)) with ordinality r
    order by r.ordinality);
  organizations uuid[] := array(select distinct r.organization_id from unnest(requests) r order by 1);
  fresh tollgate.hold_request[];
  budgets tollgate.hold_budget[];
  grants tollgate.hold_grant[];
begin
  if (select count(*) from tollgate.reserved_totals t where t.organization_id = any(organizations))
    < cardinality(organizations) then
    insert into tollgate.reserved_totals (organization_id)
    select d.organization_id from tollgate.directory_organizations d
    where d.organization_id = any(organizations) order by d.organization_id
    on conflict do nothing;
  end if;
  perform tollgate.lock_holds(organizations);
  perform tollgate.expire_holds(organizations, 1000);
  -- A grant that has expired, or was spent in a period that is over, adds nothing any more, though nobody has settled it yet.
  perform public.settle_grants(d.organization_id)
  from (
    select o.organization_id from unnest(organizations) o (organization_id)
    where exists (
      select from tollgate.grants g
      where g.organization_id = o.organization_id and g.closed_at is null and (g.expires_at <= now()
        or g.settled_until < (select p.period_start from tollgate.organization_period(g.organization_id) p)))
    order by o.organization_id offset 0) d;

  fresh := array(
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
  budgets := tollgate.hold_budgets(
    requests, organizations, coalesce((tollgate.unwrap(batch) ->> 'observe')::boolean, false));
  grants := tollgate.grant_holds(fresh, budgets);

  -- One statement holds, counts and answers: one of its own that answers would look up each hold that was just made.
  return query
    with held as (
      insert into tollgate.reservations as n (
        id, organization_id, user_id, session_id, total_tokens, created_at, expires_at, idempotency_key)
      select r.id, r.organization_id, r.user_id, r.session_id, r.total_tokens, clock_timestamp(),
        clock_timestamp() + r.ttl_seconds * interval '1 second', r.idempotency_key
      from unnest(fresh) r
      where r.ordinal not in (select g.ordinal from unnest(grants) g where g.refused_by is not null)
        and r.organization_id in (select b.organization_id from unnest(budgets) b)
      returning n as hold
    ), total as (
      update tollgate.reserved_totals t set reserved_tokens = t.reserved_tokens + h.total_tokens, updated_at = now()
      from (select (n.hold).organization_id, sum((n.hold).total_tokens)::bigint as total_tokens from held n group by 1) h
      where t.organization_id = h.organization_id
      returning t.organization_id, t.reserved_tokens
    ), budget as materialized (
      select b.*, b.ordinality::integer as place, coalesce(t.reserved_tokens, b.reserved_tokens) as held_now
      from unnest(budgets) with ordinality b left join total t on t.organization_id = b.organization_id
    ), answer as materialized (
      select r.*, min(r.ordinal) over (partition by r.organization_id, coalesce(r.idempotency_key, r.id::text)) as first,
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
      coalesce(b.decision_id, o.decision_id),
      r.organization_id, o.limit_tokens::text, o.used_tokens::text, o.held_now::text, o.period_start, o.period_end,
      clock_timestamp()
    from answer r
    -- A repetition in the same batch is answered as the first.
    left join unnest(grants) g on g.ordinal = r.first
    left join budget o on o.organization_id = r.organization_id and o.scope = 'organization'
    left join budget b on b.place = g.refused_by
    order by r.ordinal;
end
$$;

revoke execute on function public.reserve_tokens from public, anon, authenticated;
grant execute on function public.reserve_tokens to tollgate_token_api, service_role;
