-- Purpose: say that a gate hears nothing from Redis and is about to read Postgres instead, so that whoever revokes waits
--   until it has read again or may no longer believe what it read. Parameters: instance_id, lease_ms.
-- Returns: one row: registered. Locks: the gate's exclusive advisory lock. Invariant: the gate reads only after this has
--   been committed; a revocation either waits for it or is read by it.
create function public.register_deaf_gate(instance_id uuid, lease_ms integer) returns table (registered boolean)
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(hashtext('tollgate.gate'));
  delete from tollgate.deaf_gates g where g.leased_until < clock_timestamp() - interval '1 hour';
  insert into tollgate.deaf_gates as g (instance_id, leased_until)
  values (register_deaf_gate.instance_id, clock_timestamp() + make_interval(secs => lease_ms / 1000.0))
  on conflict on constraint deaf_gates_pkey do update set leased_until = excluded.leased_until;
  registered := true;
  return next;
end
$$;

revoke execute on function public.register_deaf_gate from public, anon, authenticated;
grant execute on function public.register_deaf_gate to tollgate_token_api, service_role;
