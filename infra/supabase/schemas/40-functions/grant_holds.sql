-- Purpose: decide which requests fit into what is left, first come, first served; each alone, all of its budgets together.
-- Parameters: requests, in order; budgets. Returns: a grant a request that has a budget with a limit, or a closed one.
-- Invariant: the sum of what fits never exceeds any budget; a request that is refused takes nothing.
create function tollgate.grant_holds(requests tollgate.hold_request[], budgets tollgate.hold_budget[])
returns tollgate.hold_grant[]
language plpgsql stable security invoker set search_path = '' set enable_nestloop = off
as $$
declare
  -- In a closed budget nothing fits.
  rooms bigint[] := array(
    select case when b.is_closed then 0 else b.limit_tokens - b.used_tokens - b.reserved_tokens end
    from unnest(budgets) with ordinality b order by b.ordinality);
  grants tollgate.hold_grant[] := '{}';
  wanted record;
  place integer;
  refused_by integer;
  room bigint;
begin
  for wanted in
    select r.ordinal, r.total_tokens, array_agg(b.ordinality::integer order by b.ordinality) as places
    from unnest(requests) r
    join unnest(budgets) with ordinality b on b.organization_id = r.organization_id
      and (b.user_id is null or b.user_id = r.user_id) and (b.session_id is null or b.session_id = r.session_id)
    where b.limit_tokens is not null or b.is_closed
    group by r.ordinal, r.total_tokens
    order by r.ordinal
  loop
    refused_by := null; room := null;
    foreach place in array wanted.places loop
      if refused_by is null and rooms[place] < wanted.total_tokens then refused_by := place; end if;
    end loop;
    foreach place in array wanted.places loop
      if refused_by is null then rooms[place] := rooms[place] - wanted.total_tokens; end if;
      room := least(room, rooms[place]);
    end loop;
    grants := grants || row(wanted.ordinal, refused_by, room)::tollgate.hold_grant;
  end loop;
  return grants;
end
$$;

grant execute on function tollgate.grant_holds to tollgate_token_api, service_role;
