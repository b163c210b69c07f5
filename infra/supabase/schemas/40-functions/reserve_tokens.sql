-- Purpose: hold LLM tokens for calls that are about to begin: all budgets of a request together, or nothing.
-- Parameters: batch = { "requests": [{ id, organization_id, user_id, session_id, total_tokens, ttl_seconds,
--   idempotency_key? }, …], "observe"? (true: nobody is to be refused) }, in the order in which they came; of members of
--   their organizations.
-- Returns: a row a request, in no certain order: i (0-based), outcome (held | refused | closed: the organization or user is
--   revoked | conflict: the key was used for another request | unknown_organization), the hold (also a repeated one),
--   remaining_tokens of the tightest budget (null: no limit), refusal = { scope, limit_tokens, used_tokens, reserved_tokens,
--   reason } and retry_at, decision_id (why whatever refused, else the organization, stands where it stands), and, once an
--   organization, in the row of its first request, where it stands after the call: limit_tokens to as_of.
-- Locks: reserved_totals of the organizations, sorted, in a statement of its own, before anything is read: whoever adds usage
--   that settles a hold has the same lock, so used + held is never read too low. Then grants that are to be settled.
-- Invariant: used + open holds never passes a limit by a grant; an id or key that is repeated holds once, and another request
--   under the same key is a conflict. Whoever is revoked, by the ladder or by hand, holds nothing. Where all that is asked of
--   an organization is new and fits, everything is held at once; else hold_in_turn decides on each of its requests.
create function public.reserve_tokens(batch jsonb)
returns table (
  i integer, outcome text, id uuid, total_tokens text, state text, expires_at timestamptz, remaining_tokens text,
  refusal jsonb, retry_at timestamptz, decision_id uuid, organization_id uuid, limit_tokens text, used_tokens text,
  reserved_tokens text, period_start timestamptz, period_end timestamptz, as_of timestamptz)
language plpgsql volatile security invoker set search_path = ''
-- Short statements of many parts: compiling or planning them anew would take longer than running them.
-- Whatever a table holds while they are planned, it is looked into by an index later.
set jit = off set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(batch);
  requests tollgate.hold_request[];
  organizations uuid[];
  tokens bigint[]; -- asked of each
  repeated uuid[]; -- of which a request is repeated within the call
  locked integer;
  budgets tollgate.hold_budget[];
  fitting uuid[]; -- organizations of which everything is new and fits
  holds_due boolean;
  grants_due uuid[];
  held_at timestamptz;
begin
  with request as materialized (
    select r.ordinality::integer as ordinal, r.*
    from rows from (jsonb_to_recordset(asked -> 'requests') as (
      id uuid, organization_id uuid, user_id uuid, session_id text, total_tokens bigint, ttl_seconds integer,
      idempotency_key text)) with ordinality r
  ), demand as (
    select k.organization_id, sum(k.total_tokens)::bigint as tokens, bool_or(k.times > 1) as is_repeated
    from (
      select r.organization_id, sum(r.total_tokens) as total_tokens, count(*) as times
      from request r group by r.organization_id, r.idempotency_key, case when r.idempotency_key is null then r.id end) k
    group by k.organization_id order by k.organization_id
  )
  select
    (select array_agg((r.ordinal, r.id, r.organization_id, r.user_id, r.session_id, r.total_tokens, r.ttl_seconds,
      r.idempotency_key)::tollgate.hold_request) from request r),
    array_agg(d.organization_id), array_agg(d.tokens), array_agg(d.organization_id) filter (where d.is_repeated)
  into requests, organizations, tokens, repeated from demand d;

  -- All of them or none: whoever has some locked must not wait for a row that another inserts.
  perform from tollgate.reserved_totals t
  where t.organization_id = any(organizations)
    and (select count(*) from tollgate.reserved_totals k where k.organization_id = any(organizations))
      = cardinality(organizations)
  order by t.organization_id for update;
  get diagnostics locked = row_count;
  if locked < cardinality(organizations) then
    insert into tollgate.reserved_totals (organization_id)
    select d.organization_id from tollgate.directory_organizations d
    where d.organization_id = any(organizations) order by d.organization_id
    on conflict do nothing;
    perform tollgate.lock_holds(organizations);
  end if;

  for turn in 1 .. 2 loop
    select array_agg(b), bool_or(b.has_due_holds), array_agg(b.organization_id) filter (where b.has_due_grants),
      array_agg(b.organization_id) filter (where not b.is_closed and not b.limits_users and b.session_max_tokens is null
        and coalesce(b.asked_tokens <= b.limit_tokens - b.used_tokens - b.reserved_tokens, true)
        and b.organization_id <> all (repeated || array(
          select r.organization_id from unnest(requests) r
          -- Subqueries, not joins: whatever the planner takes the table's size to be, each is one look into an index.
          where (select h.id from tollgate.reservations h where h.id = r.id) is not null
            or (r.idempotency_key is not null and (select h.id from tollgate.reservations h
              where h.organization_id = r.organization_id and h.idempotency_key = r.idempotency_key) is not null))))
    into budgets, holds_due, grants_due, fitting
    from tollgate.organization_budgets(organizations, tokens, coalesce((asked ->> 'observe')::boolean, false)) b;
    exit when grants_due is null or turn = 2;
    -- A grant that has expired, or was spent in a period that is over, adds nothing any more, though nobody has settled it yet.
    perform public.settle_grants(d.organization_id) from (
      select o.organization_id from unnest(grants_due) o (organization_id) order by o.organization_id offset 0) d;
  end loop;
  if holds_due then perform tollgate.expire_holds(organizations, 1000); end if;

  held_at := clock_timestamp();
  if coalesce(cardinality(fitting), 0) < cardinality(organizations) then
    return query select * from tollgate.hold_in_turn(
      array(select r from unnest(requests) r where (r.organization_id = any(fitting)) is not true),
      array(select b from unnest(budgets) b where (b.organization_id = any(fitting)) is not true), held_at);
    if fitting is null then return; end if;
    requests := array(select r from unnest(requests) r where r.organization_id = any(fitting));
    budgets := array(select b from unnest(budgets) b where b.organization_id = any(fitting));
  end if;

  return query
    with held as (
      insert into tollgate.reservations (
        id, organization_id, user_id, session_id, total_tokens, created_at, expires_at, idempotency_key)
      select r.id, r.organization_id, r.user_id, r.session_id, r.total_tokens, held_at,
        held_at + r.ttl_seconds * interval '1 second', r.idempotency_key
      from unnest(requests) r
    ), total as (
      update tollgate.reserved_totals t set reserved_tokens = t.reserved_tokens + b.asked_tokens, updated_at = now()
      from unnest(budgets) b where t.organization_id = b.organization_id
    )
    select r.ordinal - 1, 'held', r.id, r.total_tokens::text, 'held', held_at + r.ttl_seconds * interval '1 second',
      (b.limit_tokens - b.used_tokens - b.reserved_tokens - (sum(r.total_tokens) over turn)::bigint)::text,
      null::jsonb, null::timestamptz, b.decision_id, b.organization_id,
      case when row_number() over turn = 1 then b.limit_tokens end::text,
      case when row_number() over turn = 1 then b.used_tokens end::text,
      case when row_number() over turn = 1 then b.reserved_tokens + b.asked_tokens end::text,
      case when row_number() over turn = 1 then b.period_start end,
      case when row_number() over turn = 1 then b.period_end end,
      case when row_number() over turn = 1 then clock_timestamp() end
    from unnest(requests) r join unnest(budgets) b on b.organization_id = r.organization_id
    window turn as (partition by r.organization_id order by r.ordinal);
end
$$;

revoke execute on function public.reserve_tokens from public, anon, authenticated;
grant execute on function public.reserve_tokens to tollgate_token_api, service_role;
