-- Purpose: tell every endpoint that wants to know what has happened to an organization. Called by the function that decides,
--   in its transaction, so that neither is without the other.
-- Parameters: organization, type (such as quota.revoked), key (names what happened), data (an object), at.
-- Returns: nothing. Locks: none. Invariant: an endpoint is told once of each key.
create function tollgate.notify(organization uuid, type text, key text, data jsonb, at timestamptz) returns void
language sql volatile security invoker set search_path = ''
as $$
  insert into tollgate.webhook_deliveries (endpoint_id, notification_key, organization_id, type, payload)
  select e.id, key, organization, type, jsonb_build_object('type', type,
    'timestamp', to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'data', jsonb_build_object('organization_id', organization) || data)
  from tollgate.webhook_endpoints e
  where (e.organization_id = organization or e.organization_id is null) and e.disabled_at is null
    and (e.types = '{}' or type = any (e.types))
  order by e.id
  on conflict (endpoint_id, notification_key) do nothing
$$;

-- Purpose: names what a decision is made under, for those who are told of it: the same until a decision is made under something
--   else, and never the same again. Parameters: held (of the decision before), inputs_key (of this one; all are as long).
-- Returns: text.
create function tollgate.told_under(held text, inputs_key text) returns text
language sql volatile security invoker set search_path = ''
as $$
  select case when starts_with(held, inputs_key) then held
    else concat_ws(':', inputs_key, nextval('tollgate.enforcement_revision')) end
$$;

-- Purpose: tell of a decision, if it is one that people are told of: a threshold, a downgrade, a revocation, or access that
--   comes back. Parameters: made (the decision), told_under (of the state that it is put into).
-- Returns: nothing. Invariant: each step is told once under the same limit, ladder, grants, period and manual act, however often
--   usage moves around it; where one of these was another at a decision in between, it is a new crossing.
create function tollgate.notify_decision(made tollgate.quota_decisions, told_under text) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  ladder constant text[] := array['active', 'warned', 'downgraded', 'revoked'];
  was constant integer := array_position(ladder, made.from_state);
  becomes constant integer := array_position(ladder, made.to_state);
  kind constant text := case
    when was > 2 and becomes < was then 'quota.restored'
    when made.to_state = 'revoked' then 'quota.revoked'
    when made.to_state = 'downgraded' then 'quota.downgraded'
    when made.to_state = 'warned' then 'quota.threshold'
  end;
begin
  if kind is null then return; end if;
  perform tollgate.notify(made.organization_id, kind,
    concat_ws(':', kind, made.organization_id, made.user_id, told_under,
      case kind when 'quota.restored' then made.from_state else made.reason || coalesce(made.observed ->> 'reason', '') end),
    jsonb_build_object('user_id', made.user_id, 'decision_id', made.id, 'from_state', made.from_state, 'state', made.to_state,
      'reason', made.reason, 'observed', made.observed, 'actor', made.actor, 'limit_tokens', made.inputs -> 'limit_tokens',
      'used_tokens', made.inputs -> 'used_tokens', 'cost_usd', made.inputs -> 'cost_usd', 'percent', made.inputs -> 'percent',
      'period_start', made.inputs -> 'period_start'),
    made.decided_at);
end
$$;

-- Purpose: tell that an organization's period is over, with what it came to. Parameters: for_organization, ended (the
--   period's start), over_at (its end). Returns: nothing. Invariant: once a period.
create function tollgate.notify_period(for_organization uuid, ended timestamptz, over_at timestamptz) returns void
language sql volatile security invoker set search_path = ''
as $$
  select tollgate.notify(for_organization, 'period.ended', concat_ws(':', 'period.ended', for_organization,
    extract(epoch from ended)), jsonb_build_object('period_start', ended, 'period_end', over_at,
      'used_tokens', coalesce(t.used_tokens, 0)::text, 'cost_usd', coalesce(t.cost_usd, 0)::text,
      'charge_usd', coalesce(t.charge_usd, 0)::text, 'event_count', coalesce(t.event_count, 0)::text,
      'unpriced_events', coalesce(t.unpriced_events, 0)::text), over_at)
  from (select 1) one
  left join tollgate.period_totals t on t.organization_id = for_organization and t.period_start = ended
$$;

grant execute on function tollgate.notify, tollgate.told_under, tollgate.notify_decision, tollgate.notify_period
  to tollgate_token_api, tollgate_quota_enforcer, service_role;
