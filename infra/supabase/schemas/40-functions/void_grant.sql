-- Purpose: take back what a grant has left. What it gave stays given, in this period too.
-- Parameters: grant_void = { organization_id, grant_id, reason, actor, at? (default: the database's present) }.
-- Returns: no row for a grant that the organization does not have, else one: outcome (voided; repeated: it was voided before;
--   over: it was spent or had expired, and stays as it is), and the grant with what it gave.
-- Locks: as settle_grants. Invariant: a grant is voided once, and gives the period no more and no less than it had given by
--   then in the spending order. The change wakes the enforcer by itself, because inputs_key no longer agrees.
create function public.void_grant(grant_void jsonb)
returns table (
  outcome text, id uuid, amount_tokens text, spent_tokens text, priority integer, expires_at timestamptz, reason text,
  actor text, created_at timestamptz, closed_at timestamptz, voided_at timestamptz, voided_by text, void_reason text)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
  given tollgate.grants;
  spent bigint;
begin
  select v.*, coalesce(v.at, now()) as present into asked from jsonb_to_record(tollgate.unwrap(grant_void)) as v (
    organization_id uuid, grant_id uuid, reason text, actor text, at timestamptz);
  -- What is over by itself is settled first: it is no longer there to be voided.
  perform public.settle_grants(asked.organization_id, asked.present);
  select g.* into given from tollgate.grants g
  where g.id = asked.grant_id and g.organization_id = asked.organization_id for update;
  if not found then return; end if;
  outcome := case when given.voided_at is not null then 'repeated' when given.closed_at is not null then 'over' else 'voided' end;
  if outcome = 'voided' then
    insert into tollgate.grant_spending (grant_id, period_start, spent_tokens)
    select u.grant_id, i.period_start, u.spent
    from tollgate.quota_inputs_at(asked.present) i
    left join tollgate.period_totals t on t.organization_id = i.organization_id and t.period_start = i.period_start
    cross join lateral tollgate.spread_usage(i.organization_id, i.period_start, i.period_end, i.base_limit_tokens,
      coalesce(t.used_tokens, 0)) u
    where i.organization_id = asked.organization_id and u.grant_id = given.id;
    update tollgate.grants g set closed_at = asked.present, voided_at = asked.present, voided_by = asked.actor,
      void_reason = asked.reason
    where g.id = given.id returning g.* into given;
  end if;
  select coalesce(sum(s.spent_tokens), 0) into spent from tollgate.grant_spending s where s.grant_id = given.id;
  if outcome = 'voided' then
    perform tollgate.record_audit(asked.actor, 'grant.voided', 'organization:' || asked.organization_id, jsonb_build_object(
      'grant_id', given.id, 'amount', given.amount_tokens, 'spent', spent, 'reason', asked.reason));
    perform tollgate.notify(given.organization_id, 'quota.grant_voided', 'quota.grant_voided:' || given.id, jsonb_build_object(
      'grant_id', given.id, 'amount_tokens', given.amount_tokens::text, 'spent_tokens', spent::text, 'reason', asked.reason,
      'actor', asked.actor), asked.present);
  end if;
  id := given.id; amount_tokens := given.amount_tokens::text; spent_tokens := spent::text; priority := given.priority;
  expires_at := given.expires_at; reason := given.reason; actor := given.actor; created_at := given.created_at;
  closed_at := given.closed_at; voided_at := given.voided_at; voided_by := given.voided_by; void_reason := given.void_reason;
  return next;
end
$$;

revoke execute on function public.void_grant from public, anon, authenticated;
grant execute on function public.void_grant to tollgate_token_api, service_role;
