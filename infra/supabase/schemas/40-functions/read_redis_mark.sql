-- Purpose: what is remembered of a Redis. Parameters: for_name. Returns: no row before the first note, else one:
--   epoch, mark (text), seen_at. Reads only.
create function public.read_redis_mark(for_name text) returns table (epoch uuid, mark text, seen_at timestamptz)
language sql stable security invoker set search_path = ''
as $$
  select m.epoch, m.mark::text, m.seen_at from tollgate.redis_marks m where m.name = for_name
$$;

revoke execute on function public.read_redis_mark from public, anon, authenticated;
grant execute on function public.read_redis_mark to tollgate_usage_worker, service_role;
