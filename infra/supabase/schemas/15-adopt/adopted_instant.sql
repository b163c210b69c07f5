-- Purpose: a point in time that a project kept in a column of its own, as an expression. Parameters: target; name (column).
-- Returns: SQL text; null where there is no such column, or it is none. Times without a zone are taken for UTC.
--   Used by 15-adopt alone, and dropped when the migration is through.
create function tollgate.adopted_instant(target regclass, name text) returns text
language sql stable set search_path = ''
return coalesce((
  select case a.atttypid
    when 'timestamptz'::regtype then format('%I', name)
    when 'timestamp'::regtype then format('(%I at time zone ''UTC'')', name) end
  from pg_catalog.pg_attribute a
  where a.attrelid = target and a.attname = name and not a.attisdropped), 'null::timestamptz');
