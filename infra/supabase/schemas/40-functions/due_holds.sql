-- Purpose: the holds of an organization whose lease has run out, as is_due_hold says, in ranges of the index of open ones.
-- Parameters: for_organization; seen (what had run out by then is not looked for). Returns: a row a hold. Reads only; without
--   `set`, so that it is inlined.
create function tollgate.due_holds(for_organization uuid, seen timestamptz)
returns table (id uuid, total_tokens bigint, expires_at timestamptz)
language sql stable security invoker
as $$
  select r.id, r.total_tokens, r.expires_at from tollgate.reservations r
  where r.organization_id = for_organization and r.state = 'held' and r.expires_at > seen and r.expires_at <= now()
  union all
  select r.id, r.total_tokens, r.expires_at from tollgate.reservations r
  where r.organization_id = for_organization and r.state = 'committing'
    and r.expires_at > seen - interval '1 day' and r.expires_at <= now() - interval '1 day'
$$;

grant execute on function tollgate.due_holds to tollgate_token_api, tollgate_quota_enforcer, service_role;
