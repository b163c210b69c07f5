-- Purpose: the holds of an organization whose lease has run out, as is_due_hold says. Parameters: for_organization; seen (what
--   had run out by then is not looked for); max_rows (of each state). Returns: a row a hold. Reads only; without `set`, so
--   that it is inlined: in ranges of the index, which the order asks for. Without it all open holds may be looked through.
create function tollgate.due_holds(for_organization uuid, seen timestamptz, max_rows integer)
returns table (id uuid, total_tokens bigint)
language sql stable security invoker
as $$
  (select r.id, r.total_tokens from tollgate.reservations r
    where r.organization_id = for_organization and r.state = 'held' and r.expires_at > seen and r.expires_at <= now()
    order by r.expires_at limit max_rows)
  union all
  (select r.id, r.total_tokens from tollgate.reservations r
    where r.organization_id = for_organization and r.state = 'committing'
      and r.expires_at > seen - interval '1 day' and r.expires_at <= now() - interval '1 day'
    order by r.expires_at limit max_rows)
$$;

grant execute on function tollgate.due_holds to tollgate_token_api, tollgate_quota_enforcer, service_role;
