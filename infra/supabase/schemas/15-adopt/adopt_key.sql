-- Purpose: give such a table our key, rows of one key having been merged. Parameters: target; key (columns).
-- Returns: nothing. Used by 15-adopt alone, and dropped when the migration is through.
-- Invariant: the project's own primary key stays beside ours.
create function tollgate.adopt_key(target regclass, key text[]) returns void
language plpgsql set search_path = ''
as $$
begin
  if not exists (
    select from pg_catalog.pg_index i
    where i.indrelid = target and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null
      and i.indexprs is null and i.indnkeyatts = cardinality(key) and key <@ tollgate.key_columns(i.indexrelid))
  then
    execute format('create unique index on %s (%s)', target, (select string_agg(format('%I', k), ', ') from unnest(key) k));
  end if;
end
$$;

-- Purpose: the columns that an index orders by, its payload left out. Parameters: index. Returns: names. Used and dropped as
--   above.
create function tollgate.key_columns(index regclass) returns text[]
language sql stable set search_path = ''
return array(
  select a.attname::text
  from pg_catalog.pg_index i
  cross join lateral unnest(i.indkey::smallint[]) with ordinality k (attnum, place)
  join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
  where i.indexrelid = index and k.place <= i.indnkeyatts);

-- Purpose: drop the keys of a project's own that do not hold all of ours: a row of one tenant would keep another's from being
--   counted. Parameters: target; key (ours); ours (columns of Tollgate). Returns: nothing. Used and dropped as above.
-- Invariant: a primary key with a column of the project's own stays, since that is filled anew for every row; what another
--   table refers to is not dropped: the migration fails and names both.
create function tollgate.drop_keys(target regclass, key text[], ours text[]) returns void
language plpgsql set search_path = ''
as $$
declare
  item record;
begin
  for item in
    select i.indexrelid::regclass as index, c.conname, (
      select string_agg(distinct f.conrelid::regclass::text, ', ') from pg_catalog.pg_constraint f
      where f.conindid = i.indexrelid and f.contype = 'f') as referring
    from pg_catalog.pg_index i
    left join pg_catalog.pg_constraint c on c.conindid = i.indexrelid and c.contype <> 'f'
    where i.indrelid = target and (i.indisunique or i.indisexclusion) and not key <@ tollgate.key_columns(i.indexrelid)
      and not (i.indisprimary and not tollgate.key_columns(i.indexrelid) <@ ours)
  loop
    if item.referring is not null then
      raise exception '%: the key % could set one tenant''s row against another''s, and % refers to it: '
        'drop that foreign key, then apply this migration again',
        target, item.index, item.referring;
    elsif item.conname is not null then
      execute format('alter table %s drop constraint %I', target, item.conname);
    else
      execute format('drop index %s', item.index);
    end if;
  end loop;
end
$$;
