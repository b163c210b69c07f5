-- Purpose: who is recording usage and may not have seen what was committed just before. Parameters: noted (who was so when this
--   was asked for the first time; null: this is it). Returns: transactions, as pg_locks names them: of those noted (null: of
--   all) whoever still holds a share of the periods (ingestion, imports, rerating) or of the books (reconciling).
-- Reads only, and waits for nobody. Invariant: once it is empty, whoever was noted has ended, and whoever has begun since then
--   sees what was committed.
create function tollgate.still_recording(noted text[]) returns text[]
language sql volatile security invoker set search_path = ''
as $$
  select coalesce(array_agg(l.virtualtransaction), '{}') from pg_catalog.pg_locks l
  where l.locktype = 'advisory' and l.objsubid = 1 and l.granted and l.mode = 'ShareLock'
    and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
    and l.classid::bigint << 32 | l.objid::bigint
      in (hashtext('tollgate.periods')::bigint, hashtext('tollgate.books')::bigint)
    and (noted is null or l.virtualtransaction = any (noted))
$$;

grant execute on function tollgate.still_recording to tollgate_quota_enforcer, service_role;
