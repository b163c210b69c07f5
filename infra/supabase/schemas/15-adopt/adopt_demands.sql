-- Purpose: refuse a table with rows that could be counted for nobody: the migration fails and says how many there are.
-- Parameters: target; key (columns). Returns: nothing. Used by 15-adopt alone, and dropped when the migration is through.
create function tollgate.demand_key(target regclass, key text[]) returns void
language plpgsql set search_path = ''
as $$
declare
  columns text := (select string_agg(format('%I', k), ', ') from unnest(key) k);
  without bigint;
begin
  execute format('select count(*) from %s where num_nulls(%s) > 0', target, columns) into without;
  if without > 0 then
    raise exception '%: % rows have no %: fill or delete them, then apply this migration again', target, without, columns;
  end if;
end
$$;

-- Purpose: refuse values that our type would round or cut off. Parameters: target; name (column); type (ours).
-- Returns: nothing. Used and dropped as above. Binary fractions are taken as PostgreSQL writes them in decimals.
create function tollgate.demand_lossless(target regclass, name text, type text) returns void
language plpgsql set search_path = '' set timezone = 'UTC'
as $$
declare
  exact text := case when type = 'bigint' or type like 'numeric%' then 'numeric' when type = 'date' then 'timestamp' end;
  lossy bigint := 0;
begin
  if exact is not null then
    execute format('select count(*) from %1$s where %2$I::%3$s <> %2$I::%4$s', target, name, exact, type) into lossy;
  end if;
  if lossy > 0 then
    raise exception '%: % rows have a % that is no %: round them yourself, then apply this migration again',
      target, lossy, name, type;
  end if;
end
$$;

-- Purpose: refuse to change the type of a column that views read, by their names. Parameters: as above. Returns: nothing.
create function tollgate.demand_unread(target regclass, name text, type text) returns void
language plpgsql set search_path = ''
as $$
declare
  views text := (
    select string_agg(distinct r.ev_class::regclass::text, ', ')
    from pg_catalog.pg_depend d
    join pg_catalog.pg_rewrite r on r.oid = d.objid
    join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
    where d.classid = 'pg_catalog.pg_rewrite'::regclass and d.refclassid = 'pg_catalog.pg_class'::regclass
      and d.refobjid = target and a.attname = name);
begin
  if views is not null then
    raise exception '%: % has to become a %, and these views read it: %; '
        'drop them, apply this migration again, make them anew',
      target, name, type, views;
  end if;
end
$$;

-- Purpose: refuse to merge rows of one key while another table refers to them: deleting one might delete there.
-- Parameters: target; key (columns). Returns: nothing. Used and dropped as above.
create function tollgate.demand_mergeable(target regclass, key text[]) returns void
language plpgsql set search_path = ''
as $$
declare
  columns text := (select string_agg(format('%I', k), ', ') from unnest(key) k);
  referring text := (select string_agg(distinct c.conrelid::regclass::text, ', ')
    from pg_catalog.pg_constraint c where c.confrelid = target and c.contype = 'f');
  copies bigint;
begin
  if referring is null then return; end if;
  execute format('select coalesce(sum(n - 1), 0) from (select count(*) as n from %s group by %s) k', target, columns) into copies;
  if copies > 0 then
    raise exception '%: % rows have the same (%) as another, and % refers to them: '
        'merge them yourself, then apply this migration again',
      target, copies, columns, referring;
  end if;
end
$$;
