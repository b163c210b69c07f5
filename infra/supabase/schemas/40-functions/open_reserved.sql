-- Purpose: LLM tokens in open holds of an organization. Parameters: for_organization. Returns: a sum, 0 without holds.
-- Invariant: a hold whose lease has run out does not count, whether or not somebody has marked it yet. Reads only.
create function tollgate.open_reserved(for_organization uuid) returns bigint
language sql stable security invoker set search_path = ''
as $$
  select coalesce((select t.reserved_tokens from tollgate.reserved_totals t where t.organization_id = for_organization), 0)
    - coalesce((
      select sum(r.total_tokens) from tollgate.reservations r
      where r.organization_id = for_organization and r.state in ('held', 'committing')
        and r.expires_at <= now() and tollgate.is_due_hold(r.state, r.expires_at)), 0)::bigint
$$;

grant execute on function tollgate.open_reserved to tollgate_token_api, tollgate_quota_enforcer, service_role;
