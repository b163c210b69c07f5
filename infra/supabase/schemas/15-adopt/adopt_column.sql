-- Purpose: give a table that the project had already a column as Tollgate keeps it: added where it is missing, else of our
--   type. Used by the files of this folder alone, and dropped when the migration is through.
-- Parameters: target; name; type; fallback (SQL expression for rows without a value; null: the column may be null);
--   initial (default of new rows; null: none). Returns: nothing.
-- Invariant: repeatable; a value that our type cannot hold fails the migration instead of being changed. Times without a
--   zone are taken for UTC, whatever the session's zone.
create function tollgate.adopt_column(target regclass, name text, type text, fallback text, initial text default null)
returns void
language plpgsql set search_path = '' set timezone = 'UTC'
as $$
declare
  present text := (select pg_catalog.format_type(a.atttypid, a.atttypmod) from pg_catalog.pg_attribute a
    where a.attrelid = target and a.attname = name and not a.attisdropped);
begin
  if present is null then
    execute format('alter table %s add column %I %s', target, name, type);
  elsif present <> type then
    perform tollgate.demand_lossless(target, name, type);
    perform tollgate.demand_unread(target, name, type);
    execute format('alter table %s alter column %I drop default', target, name);
    execute format('alter table %s alter column %I type %s using %I::%s', target, name, type, name, type);
  end if;
  if fallback is not null then
    execute format('update %s set %I = %s where %I is null', target, name, fallback, name);
    execute format('alter table %s alter column %I set not null', target, name);
  end if;
  if initial is not null then
    execute format('alter table %s alter column %I set default %s', target, name, initial);
  end if;
end
$$;

-- Purpose: take what would stand in the way off a table that the project had already: foreign keys (usage outlives users, and
--   a pseudonym is nobody's id), policies (from now on a tenant reads by ours alone), keys that one tenant's row could hold
--   against another's, columns of the project's own that must be filled.
-- Parameters: target; key (of Tollgate's); ours (columns of Tollgate). Returns: nothing. Used and dropped as above.
create function tollgate.adopt_table(target regclass, key text[], ours text[]) returns void
language plpgsql set search_path = ''
as $$
declare
  item record;
begin
  for item in select c.conname from pg_catalog.pg_constraint c where c.conrelid = target and c.contype = 'f' loop
    execute format('alter table %s drop constraint %I', target, item.conname);
  end loop;
  perform tollgate.drop_keys(target, key, ours);
  for item in select p.polname from pg_catalog.pg_policy p where p.polrelid = target loop
    execute format('drop policy %I on %s', item.polname, target);
  end loop;
  for item in
    select a.attname, pg_catalog.format_type(a.atttypid, null) as type, exists (
      select from pg_catalog.pg_index i where i.indrelid = target and i.indisprimary and a.attnum = any (i.indkey)) as is_key
    from pg_catalog.pg_attribute a
    where a.attrelid = target and a.attnum > 0 and not a.attisdropped and a.attnotnull and not a.atthasdef
      and a.attidentity = '' and a.attname <> all (ours)
  loop
    if item.type = 'uuid' then
      execute format('alter table %s alter column %I set default gen_random_uuid()', target, item.attname);
    elsif item.is_key then
      raise exception '%: the key column % has no default: give it one, or make it a uuid', target, item.attname;
    else
      execute format('alter table %s alter column %I drop not null', target, item.attname);
    end if;
  end loop;
end
$$;
