-- Purpose: a count that a project kept in a session's metadata. Parameters: value (anything). Returns: 0 for what is none.
--   Used by 15-adopt alone, and dropped when the migration is through.
create function tollgate.adopted_count(value jsonb) returns bigint
language sql immutable
return case when value #>> '{}' ~ '^\d{1,15}$' then (value #>> '{}')::bigint else 0 end;
