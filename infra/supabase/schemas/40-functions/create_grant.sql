-- Purpose: give an organization LLM tokens on top of its monthly limit.
-- Parameters: grant_order = { organization_id, amount, priority?, expires_at? (absent: never), reason, idempotency_key, actor,
--   at? (default: the database's present) }.
-- Returns: no row for an unknown organization, else one: refusal (over: it would have expired already; null: none), created
--   (false: this idempotency key was used before), matches (false: it was used for another amount, priority or expiry), and the
--   grant as list_grants shows it.
-- Locks: none. Invariant: an idempotency key gives once. The change wakes the enforcer by itself, because inputs_key no longer
--   agrees.
create function public.create_grant(grant_order jsonb)
returns table (
  refusal text, created boolean, matches boolean, id uuid, organization_id uuid, amount_tokens text, left_tokens text,
  priority integer, expires_at timestamptz, reason text, actor text, created_at timestamptz, closed_at timestamptz,
  voided_at timestamptz, voided_by text, void_reason text)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
  given tollgate.grants;
begin
  select g.*, coalesce(g.at, now()) as granted_at into asked from jsonb_to_record(tollgate.unwrap(grant_order)) as g (
    organization_id uuid, amount bigint, priority integer, expires_at timestamptz, reason text, idempotency_key text, actor text,
    at timestamptz);
  if not exists (select from tollgate.directory_organizations o where o.organization_id = asked.organization_id) then return; end if;
  -- Not of one that is on record: it was in time, and its repetition may be late.
  if asked.expires_at <= asked.granted_at and not exists (select from tollgate.grants g
    where g.organization_id = asked.organization_id and g.idempotency_key = asked.idempotency_key) then
    refusal := 'over';
    return next;
    return;
  end if;
  insert into tollgate.grants as g (
    organization_id, amount_tokens, priority, expires_at, reason, idempotency_key, actor, created_at, settled_until)
  values (asked.organization_id, asked.amount, coalesce(asked.priority, 100), asked.expires_at, asked.reason,
    asked.idempotency_key, asked.actor, asked.granted_at,
    (select p.period_start from tollgate.organization_period(asked.organization_id, asked.granted_at) p))
  on conflict (organization_id, idempotency_key) do nothing
  returning g.* into given;
  created := given.id is not null;
  if created then
    perform tollgate.record_audit(asked.actor, 'grant.created', 'organization:' || asked.organization_id, jsonb_build_object(
      'grant_id', given.id, 'amount', given.amount_tokens, 'priority', given.priority, 'expires_at', given.expires_at,
      'reason', given.reason));
    perform tollgate.notify(given.organization_id, 'quota.granted', 'quota.granted:' || given.id, jsonb_build_object(
      'grant_id', given.id, 'amount_tokens', given.amount_tokens::text, 'expires_at', given.expires_at, 'reason', given.reason,
      'actor', given.actor), given.created_at);
  else
    select g.* into given from tollgate.grants g
    where g.organization_id = asked.organization_id and g.idempotency_key = asked.idempotency_key;
  end if;
  matches := given.amount_tokens = asked.amount and given.priority = coalesce(asked.priority, 100)
    and given.expires_at is not distinct from asked.expires_at;
  if given.closed_at is null then
    select (u.size - u.spent)::text into left_tokens from tollgate.quota_inputs_at(asked.granted_at) i
    left join tollgate.period_totals t on t.organization_id = i.organization_id and t.period_start = i.period_start
    cross join lateral tollgate.spread_usage(i.organization_id, i.period_start, i.period_end, i.base_limit_tokens,
      coalesce(t.used_tokens, 0)) u
    where i.organization_id = given.organization_id and u.grant_id = given.id;
  end if;
  id := given.id; organization_id := given.organization_id; amount_tokens := given.amount_tokens::text;
  priority := given.priority; expires_at := given.expires_at; reason := given.reason; actor := given.actor;
  created_at := given.created_at; closed_at := given.closed_at; voided_at := given.voided_at; voided_by := given.voided_by;
  void_reason := given.void_reason;
  return next;
end
$$;

-- Purpose: the grants of an organization that are open or ended of late, with what they have left.
-- Parameters: for_organization, at (default: the database's present). Returns: a row a grant, newest first, 500 at most;
--   left_tokens is null for one that is closed. Reads only.
create function public.list_grants(for_organization uuid, at timestamptz default now())
returns table (
  id uuid, amount_tokens text, left_tokens text, priority integer, expires_at timestamptz, reason text, actor text,
  created_at timestamptz, closed_at timestamptz, voided_at timestamptz, voided_by text, void_reason text)
language sql stable security invoker set search_path = ''
as $$
  select g.id, g.amount_tokens::text, (u.size - u.spent)::text, g.priority, g.expires_at, g.reason, g.actor,
    g.created_at, g.closed_at, g.voided_at, g.voided_by, g.void_reason
  from tollgate.quota_inputs_at(at) i
  left join tollgate.period_totals t on t.organization_id = i.organization_id and t.period_start = i.period_start
  join tollgate.grants g on g.organization_id = i.organization_id
  left join lateral tollgate.spread_usage(i.organization_id, i.period_start, i.period_end, i.base_limit_tokens,
    coalesce(t.used_tokens, 0)) u on u.grant_id = g.id
  where i.organization_id = for_organization
  order by g.created_at desc, g.id
  limit 500
$$;

revoke execute on function public.create_grant, public.list_grants from public, anon, authenticated;
grant execute on function public.create_grant, public.list_grants to tollgate_token_api, service_role;
