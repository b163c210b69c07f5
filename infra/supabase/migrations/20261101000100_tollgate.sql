-- Generated from infra/supabase/schemas by generate-migration.ts. Edit those files, not this one.
-- Bodies are checked when all functions exist; the files stand in the order of their names.
set check_function_bodies = off;

-- schemas/10-roles/create_roles.sql
-- One database role a service, without login: whoever operates the project gives it a password
-- (`alter role … login password …`) or lets an own login role `set role` to it. Each may execute its own functions only.
do $$
declare
  service text;
begin
  foreach service in array array['tollgate_token_api', 'tollgate_usage_worker', 'tollgate_quota_enforcer'] loop
    if not exists (select from pg_roles where rolname = service) then
      execute format('create role %I nologin', service);
    end if;
  end loop;
end
$$;

-- For BI tools: reads what 50-policies/readers.sql opens, of all organizations. Not one of the services.
do $$
begin
  if not exists (select from pg_roles where rolname = 'tollgate_reader') then
    create role tollgate_reader nologin;
  end if;
end
$$;

create schema if not exists tollgate;
grant usage on schema tollgate, public to tollgate_token_api, tollgate_usage_worker, tollgate_quota_enforcer, service_role;
grant usage on schema tollgate to authenticated; -- for the policy functions; no table of it is readable

-- schemas/10-roles/open_table.sql
-- Purpose: open a table to exactly those who need it, and to nobody else. Used by the files of 50-policies alone, and
--   dropped when they are through.
-- Parameters: target; rights = { service: [select | insert | update | delete, …] }, insert and update with columns where no
--   others may be written: "update (a, b)". Returns: nothing.
-- Invariant: row level security is enabled and forced; a right without a policy gives nothing, so each verb gets both.
--   The secret key of the project (service_role) may do everything, as everywhere in Supabase.
create function tollgate.open_table(target regclass, rights jsonb) returns void
language plpgsql set search_path = ''
as $$
declare
  service text;
  verb text;
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format('grant select, insert, update, delete on %s to service_role', target);
  execute format('create policy service_role_all on %s for all to service_role using (true) with check (true)', target);
  for service, verb in
    select s.key, v.verb from jsonb_each(rights) s cross join lateral jsonb_array_elements_text(s.value) v (verb)
  loop
    execute format('grant %s on %s to %I', verb, target, service);
    verb := split_part(verb, ' ', 1);
    execute format('create policy %I on %s for %s to %I %s', service || '_' || verb, target, verb, service,
      case verb
        when 'insert' then 'with check (true)'
        when 'update' then 'using (true) with check (true)'
        else 'using (true)'
      end);
  end loop;
end
$$;

-- schemas/15-adopt/adopt_column.sql
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

-- schemas/15-adopt/adopt_demands.sql
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

-- schemas/15-adopt/adopt_key.sql
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

-- schemas/15-adopt/adopted_count.sql
-- Purpose: a count that a project kept in a session's metadata. Parameters: value (anything). Returns: 0 for what is none.
--   Used by 15-adopt alone, and dropped when the migration is through.
create function tollgate.adopted_count(value jsonb) returns bigint
language sql immutable
return case when value #>> '{}' ~ '^\d{1,15}$' then (value #>> '{}')::bigint else 0 end;

-- schemas/15-adopt/adopted_instant.sql
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

-- schemas/15-adopt/chat_sessions.sql
-- Likewise chat_sessions. Columns of the project's own that bear the name of one that Tollgate derives (status, ended_at,
-- end_reason) are kept as <name>_before; what they say of an end is taken over.
do $$
declare
  name text;
begin
  if to_regclass('public.chat_sessions') is null then
    return;
  end if;
  perform tollgate.adopt_table('public.chat_sessions', '{organization_id,user_id,librechat_session_id}',
    '{organization_id,user_id,librechat_session_id,model_used,session_metadata,started_at,last_activity_at,closed_at,close_reason}');
  perform tollgate.adopt_column('public.chat_sessions', 'organization_id', 'uuid', null);
  perform tollgate.adopt_column('public.chat_sessions', 'user_id', 'uuid', null);
  perform tollgate.adopt_column('public.chat_sessions', 'librechat_session_id', 'text', null);
  perform tollgate.demand_key('public.chat_sessions', '{organization_id,user_id,librechat_session_id}');
  perform tollgate.demand_mergeable('public.chat_sessions', '{organization_id,user_id,librechat_session_id}');
  perform tollgate.adopt_column('public.chat_sessions', 'closed_at', 'timestamp with time zone', null);
  perform tollgate.adopt_column('public.chat_sessions', 'close_reason', 'text', null);
  foreach name in array array['status', 'ended_at', 'end_reason'] loop
    continue when not exists (select from pg_attribute a
      where a.attrelid = 'public.chat_sessions'::regclass and a.attname = name and not a.attisdropped and a.attgenerated = '');
    execute format('alter table public.chat_sessions rename column %I to %I', name, name || '_before');
    execute format('alter table public.chat_sessions alter column %I drop not null', name || '_before');
    if name = 'ended_at' then
      execute format('update public.chat_sessions set closed_at = %s, close_reason = ''before_tollgate''
        where ended_at_before is not null', tollgate.adopted_instant('public.chat_sessions', 'ended_at_before'));
    end if;
  end loop;
  perform tollgate.adopt_column('public.chat_sessions', 'model_used', 'text', null);
  perform tollgate.adopt_column('public.chat_sessions', 'model_used_at', 'timestamp with time zone', null);
  perform tollgate.adopt_column('public.chat_sessions', 'session_metadata', 'jsonb', '''{}''', '''{}''');
  perform tollgate.adopt_column('public.chat_sessions', 'metadata_at', 'timestamp with time zone', null);
  perform tollgate.adopt_column('public.chat_sessions', 'started_at', 'timestamp with time zone',
    format('coalesce(%s, now())', tollgate.adopted_instant('public.chat_sessions', 'created_at')));
  perform tollgate.adopt_column('public.chat_sessions', 'last_activity_at', 'timestamp with time zone',
    format('greatest(started_at, closed_at, %s)', tollgate.adopted_instant('public.chat_sessions', 'updated_at')));
  perform tollgate.adopt_column('public.chat_sessions', 'end_event_at', 'timestamp with time zone', null);
  perform tollgate.adopt_column('public.chat_sessions', 'end_event_reason', 'text', null);
  perform tollgate.adopt_column('public.chat_sessions', 'message_count', 'bigint',
    'tollgate.adopted_count(session_metadata -> ''messages'')', '0');
  perform tollgate.adopt_column('public.chat_sessions', 'total_tokens', 'bigint',
    'tollgate.adopted_count(session_metadata -> ''tokens'')', '0');
  perform tollgate.adopt_column('public.chat_sessions', 'output_tokens', 'bigint', '0', '0');
  perform tollgate.adopt_column('public.chat_sessions', 'input_tokens', 'bigint', 'total_tokens - output_tokens', '0');
  perform tollgate.adopt_column('public.chat_sessions', 'cost_usd', 'numeric(30,12)', '0', '0');
  perform tollgate.adopt_column('public.chat_sessions', 'charge_usd', 'numeric(30,12)', '0', '0');
  perform tollgate.adopt_column('public.chat_sessions', 'unpriced_events', 'bigint', '0', '0');

  -- Several rows of one session: the last one stands for all.
  with merged as (
    select s.ctid, row_number() over session as place, sum(s.message_count) over session as message_count,
      sum(s.total_tokens) over session as total_tokens, sum(s.output_tokens) over session as output_tokens,
      sum(s.input_tokens) over session as input_tokens, min(s.started_at) over session as started_at,
      count(*) over session as copies
    from public.chat_sessions s
    window session as (partition by s.organization_id, s.user_id, s.librechat_session_id
      order by s.last_activity_at desc, s.ctid rows between unbounded preceding and unbounded following)
  ), dropped as (
    delete from public.chat_sessions s using merged r where s.ctid = r.ctid and r.place > 1
  )
  update public.chat_sessions s set message_count = r.message_count, total_tokens = r.total_tokens,
    output_tokens = r.output_tokens, input_tokens = r.input_tokens, started_at = r.started_at
  from merged r where s.ctid = r.ctid and r.place = 1 and r.copies > 1;
  update public.chat_sessions set metadata_at = coalesce(metadata_at, last_activity_at) -- what it says stays, until newer is said
  where session_metadata <> '{}';
  update public.chat_sessions set
    session_metadata = session_metadata || jsonb_build_object('messages', message_count, 'tokens', total_tokens);
  perform tollgate.adopt_key('public.chat_sessions', '{organization_id,user_id,librechat_session_id}');
  alter table public.chat_sessions
    add column status text generated always as (case
      when end_event_at >= last_activity_at then 'ended'
      when closed_at is null then 'active'
      when close_reason = 'idle' then 'idle'
      else 'ended' end) stored,
    add column ended_at timestamptz generated always as
      (case when end_event_at >= last_activity_at then end_event_at else closed_at end) stored,
    add column end_reason text generated always as
      (case when end_event_at >= last_activity_at then end_event_reason else close_reason end) stored,
    set (fillfactor = 60);
end
$$;

-- schemas/15-adopt/usage_metrics.sql
-- A project may have counted in usage_metrics before: its table is taken over, rows included (47-adopt makes opening
-- balances of them). Several rows of one organization, user and day become one, which is their sum.
do $$
begin
  if to_regclass('public.usage_metrics') is null then
    return;
  end if;
  perform tollgate.adopt_table('public.usage_metrics', '{organization_id,user_id,date}',
    '{organization_id,user_id,date,tokens_used,cost_usd,message_count}');
  perform tollgate.adopt_column('public.usage_metrics', 'organization_id', 'uuid', null);
  perform tollgate.adopt_column('public.usage_metrics', 'user_id', 'uuid', null);
  perform tollgate.adopt_column('public.usage_metrics', 'date', 'date', null);
  perform tollgate.demand_key('public.usage_metrics', '{organization_id,user_id,date}');
  perform tollgate.demand_mergeable('public.usage_metrics', '{organization_id,user_id,date}');
  perform tollgate.adopt_column('public.usage_metrics', 'tokens_used', 'bigint', '0', '0');
  perform tollgate.adopt_column('public.usage_metrics', 'output_tokens', 'bigint', '0', '0');
  perform tollgate.adopt_column('public.usage_metrics', 'input_tokens', 'bigint', 'tokens_used - output_tokens', '0');
  perform tollgate.adopt_column('public.usage_metrics', 'cost_usd', 'numeric(30,12)', '0', '0');
  perform tollgate.adopt_column('public.usage_metrics', 'charge_usd', 'numeric(30,12)', '0', '0');
  perform tollgate.adopt_column('public.usage_metrics', 'message_count', 'bigint', '0', '0');
  perform tollgate.adopt_column('public.usage_metrics', 'event_count', 'bigint', '0', '0');
  perform tollgate.adopt_column('public.usage_metrics', 'unpriced_events', 'bigint', '0', '0');
  perform tollgate.adopt_column('public.usage_metrics', 'updated_at', 'timestamp with time zone', 'now()', 'now()');

  with merged as (
    select m.ctid, row_number() over day as place, sum(m.tokens_used) over day as tokens_used,
      sum(m.output_tokens) over day as output_tokens, sum(m.input_tokens) over day as input_tokens,
      sum(m.cost_usd) over day as cost_usd, sum(m.charge_usd) over day as charge_usd,
      sum(m.message_count) over day as message_count, count(*) over day as copies
    from public.usage_metrics m
    window day as (partition by m.organization_id, m.user_id, m.date order by m.ctid
      rows between unbounded preceding and unbounded following)
  ), dropped as (
    delete from public.usage_metrics m using merged r where m.ctid = r.ctid and r.place > 1
  )
  update public.usage_metrics m set tokens_used = r.tokens_used, output_tokens = r.output_tokens,
    input_tokens = r.input_tokens, cost_usd = r.cost_usd, charge_usd = r.charge_usd, message_count = r.message_count
  from merged r where m.ctid = r.ctid and r.place = 1 and r.copies > 1;
  perform tollgate.adopt_key('public.usage_metrics', '{organization_id,user_id,date}');
  alter table public.usage_metrics set (fillfactor = 60);
end
$$;

-- schemas/20-tables/accounts.sql
-- What Tollgate keeps of an organization beside the project's own row.
create table tollgate.organization_settings (
  organization_id uuid primary key,
  time_zone text not null default 'UTC', -- this and the anchor day: from the next period on (period_schedules)
  period_anchor_day integer not null default 1 check (period_anchor_day between 1 and 31), -- 31: the last day of shorter months
  enforcement_mode text check (enforcement_mode in ('enforce', 'observe')), -- null: as everywhere
  markup_percent numeric(9, 4) check (markup_percent between -100 and 10000), -- on cost_usd; null: the plan's
  updated_at timestamptz not null default now()
);

-- Which time zone and anchor day an organization's days and periods follow, and when. Kept by a trigger of
-- organization_settings; without a row UTC and calendar months.
create table tollgate.period_schedules (
  organization_id uuid not null,
  valid_from timestamptz not null default '-infinity', -- the start of a period
  valid_to timestamptz not null default 'infinity',
  time_zone text not null,
  anchor_day integer not null check (anchor_day between 1 and 31),
  first_end timestamptz not null default '-infinity',  -- end of the period that starts at valid_from, where a change made it odd
  primary key (organization_id, valid_from),
  check (valid_from < valid_to)
);

-- Defaults of a plan: fields that an organization's own librechat_config lacks, and the monthly limit.
create table tollgate.plans (
  plan_type text primary key,
  librechat_config jsonb not null default '{}',
  policy jsonb, -- ladder, cost limit, reduced_configs where an organization has no policy of its own; null: the default ladder
  markup_percent numeric(9, 4) check (markup_percent between -100 and 10000) -- null: none
);

insert into tollgate.plans (plan_type, librechat_config) values
  ('starter', '{"enabled_models": ["gpt-4o-mini"], "max_tokens": 1000000, "allowed_endpoints": ["openAI"],
    "features": {"file_upload": false, "image_generation": false, "voice_chat": false, "code_interpreter": false}}'),
  ('professional', '{"enabled_models": ["gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5"], "max_tokens": 10000000,
    "allowed_endpoints": ["openAI", "anthropic"],
    "features": {"file_upload": true, "image_generation": true, "voice_chat": false, "code_interpreter": false}}'),
  ('enterprise', '{"enabled_models": ["gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "gemini-2.5-pro"], "max_tokens": null,
    "allowed_endpoints": ["openAI", "anthropic", "google"],
    "features": {"file_upload": true, "image_generation": true, "voice_chat": true, "code_interpreter": true}}');

-- schemas/20-tables/audit.sql
-- Every administrative act: who did what to whom, and when. Written by tollgate.record_audit alone, inside the transaction
-- of the act itself; never edited.
create table tollgate.audit_log (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  actor text not null check (actor <> ''),   -- user:<id>, key:<id>, operator (bootstrap key), cli, system:<service>
  action text not null check (action ~ '^[a-z_]+(\.[a-z_]+)+$'),
  target text not null check (target <> ''), -- <kind>:<id>, such as organization:<id>, key:<id>, user:<id>
  organization_id uuid,                      -- whose admin may read it; null: the operator alone
  details jsonb not null default '{}' check (jsonb_typeof(details) = 'object')
);
create index audit_log_organization_id_idx on tollgate.audit_log (organization_id, id desc);

-- schemas/20-tables/books.sql
-- When Tollgate came to this database: usage of earlier days that no entry explains was there before it.
create table tollgate.installation (
  only_row boolean primary key default true check (only_row),
  installed_at timestamptz not null default now()
);
insert into tollgate.installation default values;

-- Rows that came into usage_metrics by no event, as they came, until reconcile has posted them as opening balances: later
-- events add to the same rows, so that these alone could not tell what was there before.
create table tollgate.preexisting_usage (
  organization_id uuid not null,
  user_id uuid not null,
  date date not null,
  tokens_used bigint not null,
  output_tokens bigint not null,
  cost_usd numeric(30, 12) not null,
  charge_usd numeric(30, 12) not null,
  message_count bigint not null,
  unpriced_events bigint not null,
  primary key (organization_id, date, user_id)
);

-- Closing figures: the sums of ledger entries whose partition is gone. Every rollup is the sum of the ledger and of these,
-- so that retention erases nothing and a sealed day still proves itself. Written in the transaction that drops the partition.
create table tollgate.sealed_days (
  organization_id uuid not null,
  date date not null,
  model text not null,
  user_id uuid not null,
  input_tokens bigint not null,
  output_tokens bigint not null,
  cache_read_input_tokens bigint not null,
  cache_creation_input_tokens bigint not null,
  reasoning_output_tokens bigint not null,
  total_tokens bigint not null,
  cost_usd numeric(30, 12) not null,
  charge_usd numeric(30, 12) not null,
  message_count bigint not null,
  event_count bigint not null,
  unpriced_events bigint not null,
  sealed_at timestamptz not null default now(),
  primary key (organization_id, date, model, user_id)
);

-- The same entries by chat session. A session that was there before Tollgate stands here with what it had.
create table tollgate.sealed_sessions (
  organization_id uuid not null,
  user_id uuid not null,
  librechat_session_id text not null,
  message_count bigint not null,
  input_tokens bigint not null,
  output_tokens bigint not null,
  total_tokens bigint not null,
  cost_usd numeric(30, 12) not null,
  charge_usd numeric(30, 12) not null,
  unpriced_events bigint not null,
  primary key (organization_id, user_id, librechat_session_id)
);

-- The same entries by the period that they posted to, and by model, as the lines of its statement need them.
create table tollgate.sealed_periods (
  organization_id uuid not null,
  period_start timestamptz not null,
  model text not null,
  total_tokens bigint not null,
  input_tokens bigint not null,
  output_tokens bigint not null,
  cost_usd numeric(30, 12) not null,
  charge_usd numeric(30, 12) not null,
  event_count bigint not null,
  unpriced_events bigint not null,
  primary key (organization_id, period_start, model)
);

-- Frozen statements of closed periods. Usage, corrections and re-rates that come later post to the open period, with a
-- reference to their own (usage_events.original_period_start). Never edited.
create table tollgate.period_statements (
  organization_id uuid not null,
  period_start timestamptz not null,
  period_end timestamptz not null,
  time_zone text not null,
  closed_at timestamptz not null default now(),
  closed_by text not null,
  used_tokens bigint not null,
  cost_usd numeric(30, 12) not null,
  charge_usd numeric(30, 12) not null,
  event_count bigint not null,
  unpriced_events bigint not null,
  lines jsonb, -- by model, written right after the freeze; null only in between
  primary key (organization_id, period_start)
);

-- schemas/20-tables/corrections.sql
-- Corrections whose original has not arrived: the highest revision of each. Applied, and removed, when it arrives.
create table tollgate.pending_corrections (
  organization_id uuid not null,
  digest bytea not null, -- identity of the original
  revision integer not null,
  input_tokens bigint not null,
  output_tokens bigint not null,
  cache_read_input_tokens bigint not null,
  cache_creation_input_tokens bigint not null,
  reasoning_output_tokens bigint not null,
  total_tokens bigint not null,
  message_count integer, -- null: as the original says
  received_at timestamptz not null,
  created_at timestamptz not null default now(),
  primary key (organization_id, digest)
);

-- schemas/20-tables/grants.sql
-- LLM tokens on top of an organization's monthly limit. Spent soonest expiry first, the monthly limit among them as what
-- expires with the period; then by priority, the lowest number first, then the oldest.
create table tollgate.grants (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null,
  amount_tokens bigint not null check (amount_tokens between 1 and 4503599627370496),
  priority integer not null default 100,
  expires_at timestamptz,            -- null: never
  reason text not null,
  idempotency_key text not null,
  actor text not null,
  created_at timestamptz not null default now(),
  settled_until timestamptz not null, -- start of the first period whose spending is not settled
  closed_at timestamptz,             -- spent, expired or voided; null: still counts
  voided_at timestamptz,             -- what was left was taken back; with who and why
  voided_by text,
  void_reason text,
  unique (organization_id, idempotency_key),
  check (voided_at is null or (closed_at is not null and voided_by is not null and void_reason is not null))
);

-- What a grant gave to a period, fixed when the period is over, or the grant has expired or was voided.
create table tollgate.grant_spending (
  grant_id uuid not null references tollgate.grants (id),
  period_start timestamptz not null,
  spent_tokens bigint not null check (spent_tokens >= 0),
  primary key (grant_id, period_start)
);

-- schemas/20-tables/idempotency.sql
-- Answers to writes that were made with an Idempotency-Key, for a day, so that a repetition gets the same and does nothing.
-- The answer is encrypted by the API: it may hold a new key or token, which is kept nowhere in clear.
create table tollgate.idempotent_requests (
  caller text not null,
  key text not null,
  fingerprint text not null, -- of method, path and body: the same key with another request is a mistake
  begun_at timestamptz not null default now(),
  leased_until timestamptz,  -- null: answered
  attempt integer not null default 1, -- the try that holds the lease
  seed text not null,        -- encrypted too; the ids and secrets of what the request makes follow from it
  status integer,
  answer text,
  primary key (caller, key)
);
create index idempotent_requests_begun_at_idx on tollgate.idempotent_requests (begun_at);

-- schemas/20-tables/intake.sql
-- Redis as it was last seen. Its own mark rises every second; one that does not exceed the one kept here, or another
-- epoch, means that Redis was wiped, exchanged or put back to an earlier state.
create table tollgate.redis_marks (
  name text primary key,
  epoch uuid not null,
  mark bigint not null check (mark >= 0),
  since timestamptz not null default now(), -- when the epoch began
  seen_at timestamptz not null default now()
);

-- schemas/20-tables/keys.sql
-- Keys for servers. Only the SHA-256 of a key is kept (it is 192 random bits, which nobody guesses from a fast hash) and its
-- first characters, by which people know it; organization_id null is the operator's.
create table tollgate.service_keys (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  key_prefix text not null,
  key_hash bytea not null unique check (length(key_hash) = 32),
  scopes text[] not null,
  organization_id uuid,
  created_at timestamptz not null default now(),
  created_by text not null default 'operator',
  expires_at timestamptz,   -- null: never; a rotation sets it to the end of the overlap
  replaced_by uuid,         -- the key that a rotation made of it
  last_used_at timestamptz, -- within a minute or two: written in batches
  revoked_at timestamptz
);
create index service_keys_organization_id_idx on tollgate.service_keys (organization_id, created_at desc);

-- schemas/20-tables/live.sql
-- When listeners of an organization were last told that something changed: once a second at most, however many services
-- tell. Worth nothing after a crash.
create unlogged table tollgate.live_marks (
  organization_id uuid primary key,
  sent_at timestamptz not null
);

-- schemas/20-tables/logins.sql
-- One row a sign-in (`sid` of its tokens). Written by the function that issues, so that no token is without its row; the
-- usage worker repeats start and end from the events. No token stands here, only the SHA-256 of the newest refresh tokens.
create table tollgate.login_sessions (
  id uuid primary key,
  organization_id uuid not null,
  user_id uuid not null,
  started_at timestamptz,
  expires_at timestamptz,            -- when the last thing that was issued runs out
  ended_at timestamptz,
  end_reason text,
  kind text not null default 'browser' check (kind in ('browser', 'handoff', 'server')),
  supabase_session_id uuid,          -- null: the Supabase token named none
  role text,                         -- the highest that one of its tokens names; null: not known
  user_agent text,
  last_used_at timestamptz,
  access_expires_at timestamptz,     -- when the last access token runs out
  ends_at timestamptz,               -- no refresh goes beyond
  generation integer not null default 0,
  refresh_hash bytea check (length(refresh_hash) = 32), -- null: no refresh token was issued
  previous_refresh_hash bytea check (length(previous_refresh_hash) = 32),
  refresh_issued_at timestamptz,
  refresh_expires_at timestamptz,
  rotated_at timestamptz             -- by the database's clock
) with (fillfactor = 70);
create index login_sessions_organization_id_idx on tollgate.login_sessions (organization_id, user_id);
create index login_sessions_user_id_idx on tollgate.login_sessions (user_id) where ended_at is null;
create index login_sessions_ended_at_idx on tollgate.login_sessions (ended_at) where ended_at is not null;
create index login_sessions_expires_at_idx on tollgate.login_sessions (expires_at) where ended_at is null;

-- What the gates refuse before it expires by itself: one token (jti) or all of a login session (sid). A row lives as long
-- as a token that it could meet.
create table tollgate.token_revocations (
  kind text not null check (kind in ('jti', 'sid')),
  id uuid not null,
  expires_at timestamptz not null,
  revoked_at timestamptz not null default now(),
  primary key (kind, id)
);
create index token_revocations_expires_at_idx on tollgate.token_revocations (expires_at);

-- Gates that hear nothing from Redis and go on by reading Postgres: until when they may believe what they read last.
create table tollgate.deaf_gates (
  instance_id uuid primary key,
  leased_until timestamptz not null
);

-- Login-session events that are committed and not yet in the queue.
create table tollgate.session_event_outbox (
  id bigint generated always as identity primary key,
  event jsonb not null,
  created_at timestamptz not null default now(),
  taken_until timestamptz not null default '-infinity' -- a relay is at it
);

-- schemas/20-tables/prices.sql
-- Price book. US dollars per million LLM tokens, exact decimals. An operator's row wins over a seeded one.
create table tollgate.model_prices (
  id bigint generated always as identity primary key,
  provider text not null,
  model text not null,
  origin text not null check (origin in ('genai-prices', 'operator')),
  valid_from timestamptz not null default '-infinity',
  valid_to timestamptz not null default 'infinity',
  min_input_tokens bigint not null default 0, -- long-context tier: holds for calls with at least this much input
  input_usd_per_mtok numeric(20, 6) not null check (input_usd_per_mtok >= 0 and input_usd_per_mtok < 1e9),
  output_usd_per_mtok numeric(20, 6) not null check (output_usd_per_mtok >= 0 and output_usd_per_mtok < 1e9),
  cache_read_usd_per_mtok numeric(20, 6) check (cache_read_usd_per_mtok >= 0),         -- null: as input
  cache_creation_usd_per_mtok numeric(20, 6) check (cache_creation_usd_per_mtok >= 0), -- null: as input
  reasoning_usd_per_mtok numeric(20, 6) check (reasoning_usd_per_mtok >= 0),           -- null: as output
  check (valid_from < valid_to),
  unique (provider, model, origin, valid_from, min_input_tokens)
);
create index model_prices_model_idx on tollgate.model_prices (model, provider);

-- Other names of a model: whole, or the beginning of a dated or suffixed name.
create table tollgate.model_aliases (
  provider text not null,
  alias text not null,
  is_prefix boolean not null,
  model text not null,
  primary key (provider, alias, is_prefix)
);
create index model_aliases_alias_idx on tollgate.model_aliases (alias);

-- schemas/20-tables/proxy.sql
-- A browser's session at the proxy in front of LibreChat. Only the SHA-256 of the cookie's id is kept. A row is also the
-- proof that its handoff was used: the session and the consumption of the handoff are one insert.
create table tollgate.proxy_sessions (
  id_hash bytea primary key check (length(id_hash) = 32),
  handoff_id uuid not null unique,
  access_token_id uuid, -- the access token that stood in for a handoff: its revocation ends the session
  login_session_id uuid not null,
  organization_id uuid not null,
  user_id uuid not null,
  started_at timestamptz not null default now(),
  expires_at timestamptz not null,
  ended_at timestamptz,
  end_reason text check ((end_reason is null) = (ended_at is null))
);
create index proxy_sessions_expires_at_idx on tollgate.proxy_sessions (expires_at);

-- schemas/20-tables/quota.sql
-- An organization's own limit and ladder; without a row the limit of its librechat_config or plan holds.
create table tollgate.quota_policies (
  organization_id uuid primary key,
  max_tokens bigint check (max_tokens >= 0), -- null: unlimited
  sets_limit boolean not null default true,  -- false: only the ladder is its own
  policy jsonb,                              -- null: the plan's ladder, else the default one
  version bigint not null default 1,
  updated_by text not null,
  updated_at timestamptz not null default now(),
  check (sets_limit or max_tokens is null)
);

-- Orders publications: rises with every change of an enforcement state.
create sequence tollgate.enforcement_revision;

-- What holds for the whole installation. One row.
create table tollgate.enforcement_control (
  id boolean primary key default true check (id),
  paused boolean not null default false,       -- true: gates refuse nobody for an enforcement state
  mode text not null default 'enforce' check (mode in ('enforce', 'observe')),
  epoch bigint not null default 1,             -- rises when a restored database would have let versions run backwards
  version_floor bigint not null default 0,     -- versions of this epoch lie above it
  revision bigint not null default nextval('tollgate.enforcement_revision'),
  reduced_configs jsonb not null default '{}', -- by name, for every organization's downgrade_to
  decision_id uuid,
  changed_at timestamptz not null default now()
);
insert into tollgate.enforcement_control default values;

-- Where the gate stands for an organization. Written by apply_enforcement and begin_epoch alone.
create table tollgate.enforcement_states (
  organization_id uuid primary key,
  state text not null check (state in ('active', 'warned', 'downgraded', 'revoked')),
  version bigint not null default 0, -- rises when issued access tokens become stale
  revision bigint not null default nextval('tollgate.enforcement_revision'),
  reason text,
  decision_id uuid,
  period_start timestamptz not null,
  period_end timestamptz not null,
  due_at timestamptz not null default 'infinity', -- when time alone changes something: a grant, a grace, a manual act ends
  lapses boolean not null default false, -- what it takes away, it takes until period_end alone, whether or not anybody decides then
  reduced_config jsonb,              -- what a downgrade leaves; null: nothing is reduced
  observed jsonb,                    -- what a step would have done that has no effect: soft, in grace, observed, exempt
  reached jsonb not null default '{}', -- since when steps with a grace are reached: key → epoch ms
  base_limit_tokens bigint,          -- limit without grants at the last evaluation; null: unlimited
  inputs_key text not null,          -- limit and policy this was decided from: another key means evaluate again
  told_under text not null default '', -- the last decision's inputs_key, and a number of its own each time it became another one
  decided_at timestamptz not null default now()
);

-- Every change of a state and every manual act, with what it was decided from. Never edited. seq
-- orders lists; it is no order of commits, so that nobody may read on from the last one seen.
create table tollgate.quota_decisions (
  id uuid primary key default gen_random_uuid(),
  seq bigint generated always as identity unique,
  organization_id uuid,              -- null: the whole installation (pause, resume, epoch)
  user_id uuid,                      -- null: the organization's own state
  kind text not null default 'change' check (kind in ('change', 'act')), -- act: ordered by hand, before it takes effect
  decided_at timestamptz not null default now(),
  effective_at timestamptz,          -- when what was taken away before had lapsed; null: as it was decided
  from_state text not null,
  to_state text not null,
  version bigint not null,
  reason text not null,
  observed jsonb,
  actor text not null,
  inputs jsonb not null
);
create index quota_decisions_organization_id_decided_at_idx on tollgate.quota_decisions (organization_id, decided_at desc);
-- For the view revocations, which is asked whenever usage is recorded: decisions on users, which are many, are passed over.
create index quota_decisions_revocations_idx on tollgate.quota_decisions (organization_id)
  where to_state = 'revoked' and user_id is null and kind = 'change';
create index quota_decisions_changes_idx on tollgate.quota_decisions (organization_id, decided_at, seq)
  where user_id is null and kind = 'change';
create index quota_decisions_organization_id_seq_idx on tollgate.quota_decisions (organization_id, seq desc);

-- What somebody ordered by hand for an organization, while it holds. The latest order replaces the one before.
create table tollgate.enforcement_overrides (
  organization_id uuid primary key,
  act text not null check (act in ('revoke', 'downgrade', 'exempt', 'restore')),
  until timestamptz,                 -- null: until it is taken back
  used_tokens bigint not null,       -- of the period when it was ordered: what `restore` forgives
  cost_usd numeric(30, 12) not null,
  actor text not null,
  reason text not null,
  decision_id uuid not null,
  created_at timestamptz not null default now()
);

-- schemas/20-tables/reservations.sql
-- Holds: LLM tokens set aside before a call. A hold is open while `held` or `committing` (its usage event is on disk and
-- not yet in the ledger); open holds alone count against a limit. Whoever changes a state holds the row of reserved_totals.
create table tollgate.reservations (
  id uuid primary key,
  organization_id uuid not null,
  user_id uuid not null,
  session_id text not null,
  total_tokens bigint not null check (total_tokens between 1 and 1000000000),
  state text not null default 'held' check (state in ('held', 'committing', 'settled', 'released', 'expired')),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,            -- the lease, in the database's time
  ended_at timestamptz,
  event_digest bytea,                         -- the usage event that settles it (as in usage_event_identities)
  settled_tokens bigint not null default 0,   -- what the events that name it have used
  is_late boolean not null default false,     -- usage came after the hold had been given back
  idempotency_key text
) with (fillfactor = 80);
create unique index reservations_idempotency_key_idx on tollgate.reservations (organization_id, idempotency_key)
  where idempotency_key is not null;
create index reservations_open_idx on tollgate.reservations (organization_id, expires_at)
  where state in ('held', 'committing');
-- The user first: nobody who asks for an organization's holds by their leases is to take this one for it.
create index reservations_open_user_idx on tollgate.reservations (user_id, organization_id)
  where state in ('held', 'committing');
create index reservations_created_at_idx on tollgate.reservations using brin (created_at);

-- Sum of an organization's open holds. Its row is the lock under which all of the organization's holds change.
create table tollgate.reserved_totals (
  organization_id uuid primary key,
  reserved_tokens bigint not null default 0 check (reserved_tokens >= 0),
  expired_upto timestamptz not null default '-infinity', -- holds whose lease had run out by then have been given back
  updated_at timestamptz not null default now()
) with (fillfactor = 50);

-- A request for a hold. ordinal counts from 1.
create type tollgate.hold_request as (
  ordinal integer,
  id uuid,
  organization_id uuid,
  user_id uuid,
  session_id text,
  total_tokens bigint,
  ttl_seconds integer,
  idempotency_key text
);

-- A limit that a request has to respect. user_id null: the whole organization's; session_id null: all of the user's.
create type tollgate.hold_budget as (
  scope text,
  organization_id uuid,
  user_id uuid,
  session_id text,
  limit_tokens bigint, -- null: unlimited
  used_tokens bigint,
  reserved_tokens bigint,
  period_start timestamptz,
  period_end timestamptz,
  is_closed boolean,   -- revoked: nothing is held, whatever is left
  state_reason text,   -- why the organization or user stands where it stands; null: nobody decided yet
  decision_id uuid,
  -- Of an organization alone: how its users and chat sessions are looked at.
  is_lenient boolean,  -- observed or paused: nobody is limited
  session_max_tokens bigint, -- limit of each chat session; null: none
  time_zone text,
  asked_tokens bigint, -- by all requests of the call
  limits_users boolean, -- some of its users have a limit or were revoked
  has_due_holds boolean, -- leases have run out and nobody has marked them yet; what they hold does not count
  has_due_grants boolean -- as quota_inputs says
);

-- What was decided on a request. refused_by: place in the budgets of the first one that is in the way; null: it fits.
create type tollgate.hold_grant as (
  ordinal integer,
  refused_by integer,
  room bigint -- what the tightest budget has left afterwards; null: no limit
);

-- schemas/20-tables/statements.sql
-- Closing figures of what a period's days do not tell: entries that posted to a later period than their own, and entries of
-- a day that two periods share, as a change of time zone leaves one. Rollups by day and these together are a statement's
-- lines, long after the ledger's partition is gone. Written in the transaction that drops it.
create table tollgate.sealed_postings (
  organization_id uuid not null,
  period_start timestamptz not null,          -- the period that they posted to
  original_period_start timestamptz not null, -- their own
  date date not null,
  model text not null,
  user_id uuid not null,
  input_tokens bigint not null,
  output_tokens bigint not null,
  cost_usd numeric(30, 12) not null,
  charge_usd numeric(30, 12) not null,
  message_count bigint not null,
  event_count bigint not null,
  unpriced_events bigint not null,
  primary key (organization_id, period_start, original_period_start, date, model, user_id)
);

-- schemas/20-tables/usage.sql
-- Identities: (organization, source, id) counts once. A table of its own, because the ledger is partitioned by time
-- and could not carry this key across months. digest = first 16 bytes of SHA-256 over source, NUL, id.
create table tollgate.usage_event_identities (
  organization_id uuid not null,
  digest bytea not null,
  counts_digest bytea not null, -- what was counted, to tell a repeat from a contradiction
  seen_at timestamptz not null default now(),
  imported boolean not null default false, -- never pruned: an import may be repeated years later
  primary key (organization_id, digest)
);
-- For pruning by age: a few bytes for each range of pages, next to nothing for an insert.
create index usage_event_identities_seen_at_idx on tollgate.usage_event_identities using brin (seen_at);

-- Ledger: signed entries, never edited. Every rollup is the plain sum of the signed columns under some of the stamped keys.
-- An event that counted is a `usage` entry; a correction adds the `reversal` of what held and its `replacement`; a
-- `rerate` adds the difference of a price. Cost and charge are exact to 12 decimals: a charge is rounded once, half up,
-- when it is stamped here, and nowhere else. Partitioned by month of the event's time.
create table tollgate.usage_events (
  organization_id uuid not null,
  digest bytea not null,
  source text not null,
  event_id text not null,
  time timestamptz not null,
  received_at timestamptz not null,
  recorded_at timestamptz not null default now(), -- of the transaction: an identity's seen_at equals its usage entry's
  user_id uuid not null,
  session_id text not null,
  message_id text,
  provider text,
  model text not null,
  entry text not null default 'usage' check (entry in ('usage', 'reversal', 'replacement', 'rerate', 'opening_balance')),
  revision integer not null default 0, -- of the correction that this entry belongs to; 0: as first reported
  imported boolean not null default false,
  after_revocation boolean not null default false, -- the call was made while the organization was revoked
  input_tokens bigint not null check (input_tokens between -9007199254740991 and 9007199254740991),
  output_tokens bigint not null check (output_tokens between -9007199254740991 and 9007199254740991),
  cache_read_input_tokens bigint not null check (cache_read_input_tokens between -9007199254740991 and 9007199254740991),
  cache_creation_input_tokens bigint not null
    check (cache_creation_input_tokens between -9007199254740991 and 9007199254740991),
  reasoning_output_tokens bigint not null check (reasoning_output_tokens between -9007199254740991 and 9007199254740991),
  total_tokens bigint not null,
  message_count integer not null,
  event_count integer not null default 1, -- usage and replacement 1 (of a voided event 0), reversal -1, rerate 0
  unpriced_events integer not null default 0,
  usage_date date not null,           -- in the organization's time zone, as of recording
  period_start timestamptz not null,  -- likewise: the period that this entry posts to
  original_period_start timestamptz,  -- its own period, where that was closed and it posts to a later one
  price_id bigint,                    -- null: no price was known
  cost_usd numeric(30, 12),           -- what the provider charges; null: no price was known; never zero for that
  charge_usd numeric(30, 12),         -- what the organization is billed: cost and markup
  check (total_tokens = input_tokens + output_tokens),
  check ((cost_usd is null) = (charge_usd is null)),
  check (entry <> 'usage' or (
    input_tokens >= cache_read_input_tokens + cache_creation_input_tokens and cache_read_input_tokens >= 0
    and cache_creation_input_tokens >= 0 and output_tokens >= reasoning_output_tokens and reasoning_output_tokens >= 0
    and message_count >= 0 and (price_id is null) = (cost_usd is null)))
) partition by range (time);

-- Months are created ahead (ensure_usage_partitions); what no month takes lands here, so that counting never stops.
create table tollgate.usage_events_default partition of tollgate.usage_events default;
create index usage_events_organization_id_usage_date_idx on tollgate.usage_events (organization_id, usage_date);
-- A correction finds its original by the time at which it was recorded: an index that grows at its end alone, and costs
-- next to nothing. What was added to an event later is rare and has an index of its own.
create index usage_events_recorded_at_idx on tollgate.usage_events (recorded_at);
create index usage_events_adjustments_idx on tollgate.usage_events (organization_id, digest) where entry <> 'usage';
-- What posts to a later period than its own, to prove that one's total, and to show it in the statement of its own.
create index usage_events_postponed_idx on tollgate.usage_events (organization_id, period_start)
  where original_period_start is not null;
create index usage_events_origin_idx on tollgate.usage_events (organization_id, original_period_start)
  where original_period_start is not null;

-- Rollup by organization, user and day: the contract's table, which a project may have already (15-adopt). Rollups leave room in each page (fillfactor), so that an
-- update stays on its page and touches no index.
create table if not exists public.usage_metrics (
  organization_id uuid not null,
  user_id uuid not null,
  date date not null,
  tokens_used bigint not null default 0,
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  cost_usd numeric(30, 12) not null default 0, -- of the priced events; unpriced_events says how many are missing
  charge_usd numeric(30, 12) not null default 0,
  message_count bigint not null default 0,
  event_count bigint not null default 0,
  unpriced_events bigint not null default 0,
  updated_at timestamptz not null default now(),
  primary key (organization_id, user_id, date)
) with (fillfactor = 60);
create index if not exists usage_metrics_organization_id_date_idx on public.usage_metrics (organization_id, date);
create index if not exists usage_metrics_user_id_idx on public.usage_metrics (user_id);

-- Rollup by organization, user, model and day, with the kinds of LLM tokens.
create table tollgate.usage_by_model (
  organization_id uuid not null,
  date date not null,
  model text not null,
  user_id uuid not null,
  input_tokens bigint not null,
  output_tokens bigint not null,
  cache_read_input_tokens bigint not null,
  cache_creation_input_tokens bigint not null,
  reasoning_output_tokens bigint not null,
  total_tokens bigint not null,
  cost_usd numeric(30, 12) not null,
  charge_usd numeric(30, 12) not null,
  message_count bigint not null,
  event_count bigint not null,
  unpriced_events bigint not null,
  primary key (organization_id, date, model, user_id)
) with (fillfactor = 60);

-- Rollup by organization, model and day: what a year's report of a whole organization reads, twenty times less than the
-- rollup by user would make it.
create table tollgate.usage_by_organization_model (
  organization_id uuid not null,
  date date not null,
  model text not null,
  input_tokens bigint not null,
  output_tokens bigint not null,
  cache_read_input_tokens bigint not null,
  cache_creation_input_tokens bigint not null,
  reasoning_output_tokens bigint not null,
  total_tokens bigint not null,
  cost_usd numeric(30, 12) not null,
  charge_usd numeric(30, 12) not null,
  message_count bigint not null,
  event_count bigint not null,
  unpriced_events bigint not null,
  primary key (organization_id, date, model)
) with (fillfactor = 60);

-- Months that are over, folded: the sums of usage_metrics (rows of users) and of usage_by_organization_model (rows of models).
-- A year's report reads a few pages of it, however the rows of the days lie. A month that has rows here is read here, and
-- they are the sums of its days: whatever changes one of these deletes them in the same transaction (unfold_months).
create table tollgate.usage_by_month (
  organization_id uuid not null,
  month date not null, -- its first day
  user_id uuid,        -- null: a row of a model
  model text,          -- null: a row of a user
  total_tokens bigint not null,
  input_tokens bigint not null,
  output_tokens bigint not null,
  cache_read_input_tokens bigint, -- null: usage_metrics does not know the kinds
  cache_creation_input_tokens bigint,
  reasoning_output_tokens bigint,
  cost_usd numeric(30, 12) not null,
  charge_usd numeric(30, 12) not null,
  message_count bigint not null,
  event_count bigint not null,
  unpriced_events bigint not null,
  check ((user_id is null) <> (model is null)),
  unique nulls not distinct (organization_id, month, user_id, model)
);

-- Rollup by chat session: the contract's table, likewise. Every column follows from the set of events, in whatever order they came.
create table if not exists public.chat_sessions (
  organization_id uuid not null,
  user_id uuid not null,
  librechat_session_id text not null,
  model_used text,
  model_used_at timestamptz,
  session_metadata jsonb not null default '{}', -- what the client said, beside `messages` and `tokens`
  metadata_at timestamptz,
  started_at timestamptz not null,
  last_activity_at timestamptz not null,
  end_event_at timestamptz,    -- the last end that was reported; without force when there was activity after it
  end_event_reason text,
  closed_at timestamptz,       -- by close_sessions: idle, or its user logged out, or the organization was revoked
  close_reason text,
  status text generated always as (case
    when end_event_at >= last_activity_at then 'ended'
    when closed_at is null then 'active'
    when close_reason = 'idle' then 'idle'
    else 'ended' end) stored,
  ended_at timestamptz generated always as
    (case when end_event_at >= last_activity_at then end_event_at else closed_at end) stored,
  end_reason text generated always as
    (case when end_event_at >= last_activity_at then end_event_reason else close_reason end) stored,
  message_count bigint not null default 0,
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  total_tokens bigint not null default 0,
  cost_usd numeric(30, 12) not null default 0,
  charge_usd numeric(30, 12) not null default 0,
  unpriced_events bigint not null default 0,
  primary key (organization_id, user_id, librechat_session_id)
) with (fillfactor = 60);
-- Sessions are counted from the index alone, under a policy that asks whose they are.
create index if not exists chat_sessions_organization_id_started_at_idx on public.chat_sessions (organization_id, started_at)
  include (user_id);
-- A user's pages are found without reading the others'.
create index if not exists chat_sessions_user_id_started_at_idx on public.chat_sessions (user_id, started_at);
-- For close_sessions. Activity changes neither column, so that it touches no index.
create index if not exists chat_sessions_active_idx on public.chat_sessions (organization_id) where status = 'active';

-- Total of an organization's period: what the quota is compared with.
create table tollgate.period_totals (
  organization_id uuid not null,
  period_start timestamptz not null,
  used_tokens bigint not null default 0,
  cost_usd numeric(30, 12) not null default 0,
  charge_usd numeric(30, 12) not null default 0,
  event_count bigint not null default 0,
  unpriced_events bigint not null default 0,
  evaluate_at bigint default 0, -- the next total that could change a decision; null: none
  evaluate_below bigint,        -- likewise downwards: a total below it (a correction) could
  evaluate_at_usd numeric(30, 12),
  evaluate_below_usd numeric(30, 12),
  is_due boolean not null generated always as (
    coalesce(used_tokens >= evaluate_at, false) or coalesce(used_tokens < evaluate_below, false)
    or coalesce(cost_usd >= evaluate_at_usd, false) or coalesce(cost_usd < evaluate_below_usd, false)) stored,
  updated_at timestamptz not null default now(),
  primary key (organization_id, period_start)
);

-- Accepted while Redis was away; the workers drain it like a queue.
create table tollgate.event_inbox (
  id bigint generated always as identity primary key,
  received_at timestamptz not null default now(),
  event_count integer generated always as (jsonb_array_length(events)) stored,
  events jsonb not null
);

-- What could not be recorded, with its reason.
create table tollgate.dead_letters (
  id bigint generated always as identity primary key,
  queue text not null,
  reason text not null,
  detail text,
  payload text not null, -- text: what is in here may be what jsonb refused
  created_at timestamptz not null default now()
);
-- Usage as it comes from the queue. The API writes it, column by column (packages/shared/src/contracts/usage-rows.ts).
create type tollgate.usage_row as (
  source text,
  id text,
  time timestamptz,
  received_at timestamptz,
  member boolean,
  organization_id uuid,
  user_id uuid,
  session_id text,
  message_id text,
  provider text,
  model text,
  input_tokens bigint,
  output_tokens bigint,
  cache_read_input_tokens bigint,
  cache_creation_input_tokens bigint,
  reasoning_output_tokens bigint,
  message_count integer,
  reservation_id uuid
);
-- An event after judge_events: typed, with its day, period, price and, where it may not count, the reason. An entry of the
-- ledger before it is written, too.
create type tollgate.judged_event as (
  ordinal bigint,
  type text,
  entry text,
  revision integer,
  organization_id uuid,
  digest bytea,
  counts_digest bytea,
  source text,
  event_id text,
  time timestamptz,
  received_at timestamptz,
  imported boolean,
  after_revocation boolean,
  user_id uuid,
  session_id text,
  message_id text,
  provider text,
  model text,
  input_tokens bigint,
  output_tokens bigint,
  cache_read_input_tokens bigint,
  cache_creation_input_tokens bigint,
  reasoning_output_tokens bigint,
  total_tokens bigint,
  message_count integer,
  event_count integer,
  unpriced_events integer,
  metadata jsonb,
  login_session_id uuid,
  expires_at timestamptz,
  end_reason text,
  usage_date date,
  period_start timestamptz,
  original_period_start timestamptz,
  is_current_period boolean,
  price_id bigint,
  cost_usd numeric,
  charge_usd numeric,
  rejection text,
  reservation_id uuid
);

-- schemas/20-tables/user_quotas.sql
-- The limit of each user of an organization who has no own one. No row: none. Rows are never deleted.
create table tollgate.user_quota_defaults (
  organization_id uuid primary key,
  max_tokens bigint check (max_tokens >= 0), -- null: unlimited
  policy jsonb,                              -- null: the default ladder
  version bigint not null default 1,
  updated_by text not null,
  updated_at timestamptz not null default now(),
  is_limiting boolean generated always as (max_tokens is not null or policy is not null) stored,
  is_enrolled boolean not null default false, -- whether whom it falls on when it is set has a row in user_quotas
  enrolled_upto uuid,                         -- the last user of those who have; null: begin with the first
  waits_for text[]                            -- who was recording usage when it was first looked at, and still is; null: not yet
);

-- A limit of one user inside an organization. The organization's own limit holds beside it. Rows are never deleted: a limit
-- that is lifted leaves max_tokens null. The outlook is kept by the enforcer and read by whoever adds usage, with the row locked;
-- a row that is not own exists for it alone, or for a manual act. Whatever may change a decision makes the row due, in the same
-- transaction, so that nobody ever has to look for it.
create table tollgate.user_quotas (
  organization_id uuid not null,
  user_id uuid not null,
  is_own boolean not null default true,      -- false: the organization's default for its users holds
  max_tokens bigint check (max_tokens >= 0), -- null: unlimited
  policy jsonb,                              -- null: the ladder of the organization's default for its users
  version bigint not null default 1,
  updated_by text not null,
  updated_at timestamptz not null default now(),
  from_date date not null default '-infinity', -- the period's days of usage_metrics
  to_date date not null default 'infinity',
  evaluate_at bigint default 0,
  evaluate_below bigint,
  evaluate_at_usd numeric(30, 12),
  evaluate_below_usd numeric(30, 12),
  changes bigint not null default 0,         -- counts usage beyond the outlook and manual acts
  seen_changes bigint,                       -- version + changes that the last decision was made from; null: none yet
  is_settled boolean not null default true,  -- false: who was recording usage when the row came may not have seen it
  waits_for text[],                          -- of those, who had not ended when it was last looked at; null: not yet
  is_due boolean not null generated always as (seen_changes is distinct from version + changes) stored,
  primary key (organization_id, user_id)
);
create index user_quotas_due_idx on tollgate.user_quotas (organization_id, user_id) where is_due;

-- Where the gate stands for a user that has, or once had, a limit. As enforcement_states.
create table tollgate.user_enforcement_states (
  organization_id uuid not null,
  user_id uuid not null,
  state text not null check (state in ('active', 'warned', 'downgraded', 'revoked')),
  version bigint not null default 0,
  revision bigint not null default nextval('tollgate.enforcement_revision'),
  reason text,
  decision_id uuid,
  period_start timestamptz not null,
  period_end timestamptz not null,
  due_at timestamptz not null default 'infinity',
  lapses boolean not null default false,
  reduced_config jsonb,
  observed jsonb,
  reached jsonb not null default '{}',
  inputs_key text not null,
  told_under text not null default '',
  shared_key text not null default '', -- what it was decided from and all users of the organization share
  -- When time alone changes something. An active user needs no new period: the first usage in it is beyond the outlook.
  wakes_at timestamptz not null generated always as (
    case when state = 'active' and observed is null then due_at else least(period_end, due_at) end) stored,
  decided_at timestamptz not null default now(),
  primary key (organization_id, user_id)
);
create index user_enforcement_states_wakes_at_idx on tollgate.user_enforcement_states (wakes_at) where wakes_at < 'infinity';
create index user_enforcement_states_organization_id_wakes_at_idx on tollgate.user_enforcement_states (
  organization_id, wakes_at, user_id) where wakes_at < 'infinity';
create index user_enforcement_states_shared_key_idx on tollgate.user_enforcement_states (organization_id, shared_key, user_id);

-- What somebody ordered by hand for a user, while it holds. As enforcement_overrides; whoever has one has a row in user_quotas.
create table tollgate.user_enforcement_overrides (
  organization_id uuid not null,
  user_id uuid not null,
  act text not null check (act in ('revoke', 'downgrade', 'exempt', 'restore')),
  until timestamptz,
  used_tokens bigint not null,
  cost_usd numeric(30, 12) not null,
  actor text not null,
  reason text not null,
  decision_id uuid not null,
  created_at timestamptz not null default now(),
  primary key (organization_id, user_id)
);

-- schemas/20-tables/webhooks.sql
-- Where notifications are sent. The secrets that deliveries are signed with are sealed before they come here, with a key that
-- no database knows (packages/shared/src/webhooks/seal-secret.ts).
create table tollgate.webhook_endpoints (
  id uuid primary key,
  organization_id uuid,              -- null: the operator's, told of every organization
  url text not null,
  types text[] not null,             -- empty: all
  sealed_secret text not null check (sealed_secret like 'v1.%'),
  previous_sealed_secret text check (previous_sealed_secret like 'v1.%'), -- signs too until previous_until
  previous_until timestamptz,
  created_by text not null,
  created_at timestamptz not null default now(),
  disabled_at timestamptz            -- removed: nothing is sent any more, the log stays
);
create index webhook_endpoints_organization_id_idx on tollgate.webhook_endpoints (organization_id) where disabled_at is null;

-- Outbox and delivery log: one row a notification and endpoint. Written in the transaction that decides.
create table tollgate.webhook_deliveries (
  id uuid primary key default gen_random_uuid(), -- the webhook-id, the same in every attempt
  seq bigint generated always as identity unique,
  endpoint_id uuid not null references tollgate.webhook_endpoints,
  notification_key text not null,    -- names what happened, so that it is told once
  organization_id uuid not null,
  type text not null,
  payload jsonb not null,
  created_at timestamptz not null default now(),
  state text not null default 'pending' check (state in ('pending', 'delivered', 'dead')),
  due_at timestamptz not null default now(), -- of the next attempt; while one is under way: the end of its lease
  attempts integer not null default 0, -- since it was created or replayed
  last_status integer,
  last_error text,
  delivered_at timestamptz,
  log jsonb not null default '[]',   -- the latest attempts: { at, status, error }
  unique (endpoint_id, notification_key)
);
create index webhook_deliveries_pending_idx on tollgate.webhook_deliveries (endpoint_id, due_at) where state = 'pending';
create index webhook_deliveries_endpoint_id_seq_idx on tollgate.webhook_deliveries (endpoint_id, seq desc);
create index webhook_deliveries_created_at_idx on tollgate.webhook_deliveries (created_at) where state <> 'pending';

-- schemas/30-views/day_entries.sql
-- What a day consists of: the entries of the ledger, and the closing figures of those that are gone. Any rollup by day is
-- the plain sum of these. Read with the caller's rights.
create view tollgate.day_entries with (security_invoker = true) as
  select e.organization_id, e.usage_date as date, e.model, e.user_id, e.input_tokens, e.output_tokens,
    e.cache_read_input_tokens, e.cache_creation_input_tokens, e.reasoning_output_tokens, e.total_tokens, e.cost_usd,
    e.charge_usd, e.message_count::bigint, e.event_count::bigint, e.unpriced_events::bigint
  from tollgate.usage_events e
  union all
  select s.organization_id, s.date, s.model, s.user_id, s.input_tokens, s.output_tokens,
    s.cache_read_input_tokens, s.cache_creation_input_tokens, s.reasoning_output_tokens, s.total_tokens, s.cost_usd,
    s.charge_usd, s.message_count, s.event_count, s.unpriced_events
  from tollgate.sealed_days s;

grant select on tollgate.day_entries to tollgate_usage_worker, service_role;

-- schemas/30-views/directory.sql
-- The two places where Tollgate reads the project's own organizations and profiles; adapt them to other column names.
-- They run with their owner's rights on purpose (the services have no right on the tables themselves) and are
-- granted to the services alone.
create view tollgate.directory_organizations with (security_barrier) as
  select o.id as organization_id, o.name, o.domain, o.plan_type, o.librechat_config
  from public.organizations o;

create view tollgate.directory_members with (security_barrier) as
  select p.id as user_id, p.organization_id, p.role, p.email, p.full_name, p.username, p.avatar_url
  from public.profiles p;

-- schemas/30-views/is_lapsed.sql
-- Purpose: whether what a decision took away is over with its period, though nobody has decided anew: the one place where
--   SQL says so. Parameters: lapses and period_end of the enforcement state (null: nobody ever decided), at.
-- Returns: boolean. Reads nothing; without `set`, so that it is inlined. The gate says the same of its copy.
create function tollgate.is_lapsed(lapses boolean, period_end timestamptz, at timestamptz default now()) returns boolean
language sql immutable parallel safe
return coalesce(lapses and period_end <= at, false);

-- Purpose: where somebody stands at an instant. Parameters: state (null: nobody ever decided), and as is_lapsed.
-- Returns: the state, active where it has lapsed. Reads nothing; without `set`, so that it is inlined.
create function tollgate.state_at(state text, lapses boolean, period_end timestamptz, at timestamptz default now()) returns text
language sql immutable parallel safe
return case when tollgate.is_lapsed(lapses, period_end, at) then 'active' else coalesce(state, 'active') end;

grant execute on function tollgate.is_lapsed, tollgate.state_at
  to tollgate_token_api, tollgate_usage_worker, tollgate_quota_enforcer, service_role;

-- schemas/30-views/organization_terms.sql
-- Markups that an organization could have, the first rank wins: its own (1), its plan's (2). A view, as the next, because it
-- becomes part of the query that asks for many organizations, where a function would be started for each.
create view tollgate.markups with (security_invoker = true) as
  select s.organization_id, s.markup_percent, 1 as rank
  from tollgate.organization_settings s where s.markup_percent is not null
  union all
  select o.organization_id, p.markup_percent, 2
  from tollgate.directory_organizations o join tollgate.plans p on p.plan_type = o.plan_type
  where p.markup_percent is not null;

-- When organizations were revoked. The last open time ends with its period where it lapses then, whether or not anybody
-- has decided by then, and has no end otherwise. One that was put into force after its period was over is empty.
create view tollgate.revocations with (security_invoker = true) as
  select d.organization_id, tstzrange(d.decided_at, case when o.over_at is not null then greatest(o.over_at, d.decided_at) end) as revoked
  from tollgate.quota_decisions d
  cross join lateral (
    select coalesce((
      select coalesce(n.effective_at, n.decided_at) from tollgate.quota_decisions n
      where n.organization_id = d.organization_id and n.decided_at > d.decided_at and n.to_state <> 'revoked'
        and n.user_id is null and n.kind = 'change'
      order by n.decided_at, n.seq limit 1), (
      select s.period_end from tollgate.enforcement_states s
      where s.organization_id = d.organization_id and s.lapses)) as over_at) o
  where d.to_state = 'revoked' and d.user_id is null and d.kind = 'change';

-- schemas/30-views/period_start.sql
-- Purpose: the instant at which a calendar month's period opens: local midnight of the anchor day, or of the month's last
--   day where the month is shorter. Parameters: month (local midnight of its first day), time_zone (IANA name),
--   anchor_day (1 to 31). Returns: instant; a midnight that daylight saving skips opens at the skip.
create function tollgate.period_opening(month timestamp, time_zone text, anchor_day integer) returns timestamptz
language sql stable parallel safe
return (month + (least(anchor_day, extract(day from month + interval '1 month' - interval '1 day')::integer) - 1)
  * interval '1 day') at time zone time_zone;

-- Purpose: start of the period that holds `at`, in an organization's time zone.
-- Parameters: at (instant), time_zone (IANA name), anchor_day (1: the calendar month). Returns: instant.
-- Invariant: period_start(at) <= at < period_end(at), compared as instants: a repeated local hour never falls between two
--   periods. The session's own TimeZone has no part in it.
create function tollgate.period_start(at timestamptz, time_zone text, anchor_day integer default 1) returns timestamptz
language sql stable parallel safe
return case
  when at >= tollgate.period_opening(pg_catalog.date_trunc('month', at at time zone time_zone), time_zone, anchor_day)
    then tollgate.period_opening(pg_catalog.date_trunc('month', at at time zone time_zone), time_zone, anchor_day)
  else tollgate.period_opening(
    pg_catalog.date_trunc('month', at at time zone time_zone) - interval '1 month', time_zone, anchor_day)
end;

-- Purpose: end of that period, which is the start of the next. Parameters, returns, invariant: as above.
create function tollgate.period_end(at timestamptz, time_zone text, anchor_day integer default 1) returns timestamptz
language sql stable parallel safe
return case
  when at < tollgate.period_opening(pg_catalog.date_trunc('month', at at time zone time_zone), time_zone, anchor_day)
    then tollgate.period_opening(pg_catalog.date_trunc('month', at at time zone time_zone), time_zone, anchor_day)
  else tollgate.period_opening(
    pg_catalog.date_trunc('month', at at time zone time_zone) + interval '1 month', time_zone, anchor_day)
end;

grant execute on function tollgate.period_opening, tollgate.period_start, tollgate.period_end
  to tollgate_token_api, tollgate_usage_worker, tollgate_quota_enforcer, service_role;

-- schemas/30-views/period_start_scheduled.sql
-- Purpose: start of an organization's period that holds `at`, under the schedule that is in force then.
-- Parameters: at (instant), schedule (its row with valid_from <= at < valid_to; null: UTC, calendar months).
-- Returns: instant. Invariant: periods of one organization neither overlap nor leave a gap, whatever was changed when.
create function tollgate.scheduled_start(at timestamptz, schedule tollgate.period_schedules) returns timestamptz
language sql stable parallel safe
return case
  when (schedule).valid_from is null then date_trunc('month', at, 'UTC')
  when at < (schedule).first_end then (schedule).valid_from
  else tollgate.period_start(at, (schedule).time_zone, (schedule).anchor_day)
end;

-- Purpose: end of that period, which is the start of the next. Parameters, returns, invariant: as above.
create function tollgate.scheduled_end(at timestamptz, schedule tollgate.period_schedules) returns timestamptz
language sql stable parallel safe
return case
  when (schedule).valid_from is null then date_add(date_trunc('month', at, 'UTC'), interval '1 month', 'UTC')
  when at < (schedule).first_end then (schedule).first_end
  else tollgate.period_end(at, (schedule).time_zone, (schedule).anchor_day)
end;

grant execute on function tollgate.scheduled_start, tollgate.scheduled_end
  to tollgate_token_api, tollgate_usage_worker, tollgate_quota_enforcer, service_role;

-- schemas/30-views/quota_inputs.sql
-- Purpose: the monthly limit that a stored librechat_config states. Parameters: config (may be null or malformed).
-- Returns: 'unlimited', a whole number of LLM tokens as text, or null where the config does not say.
-- Invariant: a malformed value never becomes a limit; the next source is asked.
create function tollgate.stored_limit(config jsonb) returns text
language sql immutable parallel safe
return case
  when jsonb_typeof(config) <> 'object' or not config ? 'max_tokens' then null
  when jsonb_typeof(config -> 'max_tokens') = 'null' then 'unlimited'
  when config ->> 'max_tokens' ~ '^\d{1,15}$' then config ->> 'max_tokens'
end;

grant execute on function tollgate.stored_limit to tollgate_token_api, tollgate_quota_enforcer, service_role;

-- Purpose: what grants add to an organization's limit in a period: what open ones have left at its start, and what those
--   that ended in it had given. Parameters: for_organization, in_period (its start), at.
-- Returns: one row: granted, due (a grant has expired or a period is over, and it is not settled), next_expiry.
-- Reads only, with the caller's rights; without `set`, so that it is inlined.
create function tollgate.granted_tokens(for_organization uuid, in_period timestamptz, at timestamptz)
returns table (granted bigint, due boolean, next_expiry timestamptz)
language sql stable parallel safe
as $$
  select
    coalesce(sum(case when g.closed_at is null then greatest(0, g.amount_tokens - s.earlier) else s.present end), 0)::bigint,
    coalesce(bool_or(g.closed_at is null and (g.settled_until < in_period or g.expires_at <= at)), false),
    min(g.expires_at) filter (where g.closed_at is null)
  from tollgate.grants g
  cross join lateral (
    select coalesce(sum(p.spent_tokens) filter (where p.period_start < in_period), 0) as earlier,
      coalesce(sum(p.spent_tokens) filter (where p.period_start = in_period), 0) as present
    from tollgate.grant_spending p where p.grant_id = g.id) s
  where g.organization_id = for_organization
$$;

-- Purpose: what every organization's quota is decided from at an instant, beside its usage.
-- Parameters: at. Returns: a row an organization; base_limit_tokens is the limit without grants, limit_tokens with them, null
--   = unlimited; policy null = the default ladder; reduced_configs: by name, the plan's before the installation's; manual_act
--   null = none; inputs_key changes whenever any of these or the schedule do. Precedence of limit and ladder: an own quota
--   policy that sets it, then the organization's config, then its plan, then unlimited and the default ladder.
-- Reads only, with the caller's rights; without `set`, so that it is inlined.
create function tollgate.quota_inputs_at(at timestamptz)
returns table (
  organization_id uuid, time_zone text, period_start timestamptz, period_end timestamptz, base_limit_tokens bigint,
  granted_tokens bigint, limit_tokens bigint, policy jsonb, policy_version bigint, reduced_configs jsonb, mode text,
  manual_act jsonb, grants_due boolean, next_expiry timestamptz, inputs_key text)
language sql stable parallel safe
as $$
  select i.organization_id, i.time_zone, i.period_start, i.period_end, i.base_limit_tokens, g.granted,
    i.base_limit_tokens + g.granted, i.policy, i.policy_version, i.reduced_configs, i.mode, i.manual_act, g.due, g.next_expiry,
    md5(concat_ws('|', extract(epoch from i.period_end), i.time_zone, coalesce(i.base_limit_tokens::text, 'unlimited'),
      g.granted, coalesce(i.policy::text, 'default'), i.reduced_configs, i.mode, i.manual_act ->> 'decision_id'))
  from (
    select o.organization_id, coalesce(h.time_zone, 'UTC') as time_zone, w.period_start, w.period_end,
      coalesce(q.policy, p.policy) as policy,
      coalesce(q.version, 0) as policy_version, c.reduced_configs || coalesce(p.policy -> 'reduced_configs', '{}') as reduced_configs,
      coalesce(s.enforcement_mode, c.mode) as mode, w.manual_act,
      case when q.sets_limit then q.max_tokens
        else nullif(coalesce(tollgate.stored_limit(o.librechat_config), tollgate.stored_limit(p.librechat_config)),
          'unlimited')::bigint end as base_limit_tokens
    from tollgate.directory_organizations o
    -- One row, which the planner does not know.
    cross join (select c.mode, c.reduced_configs from tollgate.enforcement_control c limit 1) c
    left join tollgate.organization_settings s on s.organization_id = o.organization_id
    left join tollgate.period_schedules h
      on h.organization_id = o.organization_id and h.valid_from <= at and at < h.valid_to
    left join tollgate.enforcement_overrides v on v.organization_id = o.organization_id
    -- Worked out once: without `offset` they would stand wherever they are read, and be worked out at each place.
    cross join lateral (
      select tollgate.scheduled_start(at, h) as period_start, tollgate.scheduled_end(at, h) as period_end,
        case when v.organization_id is null or v.until <= at then null
          else jsonb_build_object('act', v.act, 'until', v.until, 'used_tokens', v.used_tokens::text,
            'cost_usd', v.cost_usd::text, 'actor', v.actor, 'decision_id', v.decision_id) end as manual_act
      offset 0) w
    left join tollgate.quota_policies q on q.organization_id = o.organization_id
    left join tollgate.plans p on p.plan_type = o.plan_type
  ) i
  cross join lateral tollgate.granted_tokens(i.organization_id, i.period_start, at) g
$$;

-- The same at present.
create view tollgate.quota_inputs with (security_invoker = true) as select * from tollgate.quota_inputs_at(now());

grant execute on function tollgate.granted_tokens, tollgate.quota_inputs_at
  to tollgate_token_api, tollgate_quota_enforcer, service_role;
grant select on tollgate.quota_inputs to tollgate_token_api, tollgate_quota_enforcer, service_role;

-- schemas/30-views/service_key_view.sql
-- A server's key as it may be shown: everything but its hash. Read with the caller's rights.
create view tollgate.service_key_view with (security_invoker = true) as
  select k.id, k.name, k.key_prefix as prefix, k.scopes, k.organization_id, k.created_at, k.created_by, k.expires_at,
    k.replaced_by, k.last_used_at, k.revoked_at
  from tollgate.service_keys k;

grant select on tollgate.service_key_view to tollgate_token_api, service_role;

-- schemas/30-views/user_inputs.sql
-- Purpose: names what all users of an organization share in what is decided on them: another key means to decide anew.
-- Parameters: time_zone, reduced_configs, mode (of quota_inputs), default_version (of the default for users; null: none).
-- Returns: text.
create function tollgate.shared_user_key(time_zone text, reduced_configs jsonb, mode text, default_version bigint) returns text
language sql stable parallel safe
return md5(concat_ws('|', time_zone, reduced_configs, mode, 'default ' || default_version));

-- Purpose: names what a decision on one user is made from beside usage: another key means that it was made from something else.
-- Parameters: period_end (of quota_inputs), own_version (of the user's row in user_quotas; null: none), shared_key (as above),
--   act_decision (of the manual act that holds; null: none). Returns: text.
create function tollgate.user_inputs_key(period_end timestamptz, own_version bigint, shared_key text, act_decision text) returns text
language sql stable parallel safe
return md5(concat_ws('|', extract(epoch from period_end), coalesce(own_version, 0), shared_key, act_decision));

-- Purpose: whether a default falls on users who have no row yet: it was set, or it is 0 and somebody has joined.
-- Parameters: held. Returns: boolean. Reads only, with the caller's rights. Who uses something under a default gets a row then.
-- Invariant: one look into an index for each member. As a join it would be up to the statistics, which may know of no member yet.
create function tollgate.must_enroll(held tollgate.user_quota_defaults) returns boolean
language sql stable parallel safe
as $$
  select held.is_limiting and (not held.is_enrolled or held.max_tokens = 0 and exists (
    select from tollgate.directory_members m
    where m.organization_id = held.organization_id and (
      select q.user_id from tollgate.user_quotas q where q.organization_id = m.organization_id and q.user_id = m.user_id) is null))
$$;

-- Purpose: the users of an organization whose own limit, or the default for users, must be looked at, a page at a time.
-- Parameters: for_organization, shared_key (at present), at, after (the cursor of the last row of the page before; null: from the
--   first), max_rows. Returns: user ids with their cursors, in four rounds: who is due by what has changed, who by time, and who
--   was decided on under another shared key, below and above. Reads only, with the caller's rights.
-- Invariant: who needs no evaluation is neither listed nor read, nor is who comes before the page: each round is a range of an
--   index. A page that is not full is the last one: whoever is due and was so from the first page on has had its turn by then.
create function tollgate.list_due_users(
  for_organization uuid, shared_key text, at timestamptz, after text, max_rows integer)
returns table (user_id uuid, cursor text)
language sql stable security invoker set search_path = ''
as $$
  select d.user_id, concat_ws('|', d.round, d.place, d.user_id)
  from (
    select e.*, row_number() over (partition by e.user_id order by e.round) as turn
    from (
      (select 1 as round, '' as place, q.user_id from tollgate.user_quotas q
        where coalesce(split_part(after, '|', 1)::integer, 1) <= 1 and q.organization_id = for_organization and q.is_due
          and q.user_id >= coalesce(split_part(after, '|', 3)::uuid, '00000000-0000-0000-0000-000000000000')
          and q.user_id is distinct from split_part(after, '|', 3)::uuid
        order by q.user_id limit max_rows)
      union all
      (select 2, to_char(s.wakes_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), s.user_id
        from tollgate.user_enforcement_states s
        where coalesce(split_part(after, '|', 1)::integer, 1) <= 2 and s.organization_id = for_organization
          and s.wakes_at <= at and s.wakes_at < 'infinity'
          and (s.wakes_at, s.user_id) >= (
            case when after like '2|%' then split_part(after, '|', 2) else '-infinity' end::timestamptz,
            case when after like '2|%' then split_part(after, '|', 3) else '00000000-0000-0000-0000-000000000000' end::uuid)
          and s.user_id is distinct from split_part(after, '|', 3)::uuid
        order by s.wakes_at, s.user_id limit max_rows)
      union all
      (select 3, s.shared_key, s.user_id from tollgate.user_enforcement_states s
        where coalesce(split_part(after, '|', 1)::integer, 1) <= 3 and s.organization_id = for_organization
          and s.shared_key < list_due_users.shared_key
          and (s.shared_key, s.user_id) >= (
            case when after like '3|%' then split_part(after, '|', 2) else '' end,
            case when after like '3|%' then split_part(after, '|', 3) else '00000000-0000-0000-0000-000000000000' end::uuid)
          and s.user_id is distinct from split_part(after, '|', 3)::uuid
        order by s.shared_key, s.user_id limit max_rows)
      union all
      (select 4, s.shared_key, s.user_id from tollgate.user_enforcement_states s
        where s.organization_id = for_organization and s.shared_key > list_due_users.shared_key
          and (s.shared_key, s.user_id) >= (
            case when after like '4|%' then split_part(after, '|', 2) else list_due_users.shared_key end,
            case when after like '4|%' then split_part(after, '|', 3) else '00000000-0000-0000-0000-000000000000' end::uuid)
          and s.user_id is distinct from split_part(after, '|', 3)::uuid
        order by s.shared_key, s.user_id limit max_rows)) e) d
  where d.turn = 1
  order by d.round, d.place, d.user_id
  limit max_rows
$$;

grant execute on function
  tollgate.shared_user_key, tollgate.user_inputs_key, tollgate.must_enroll, tollgate.list_due_users
  to tollgate_token_api, tollgate_quota_enforcer, service_role;

-- schemas/30-views/webhook_view.sql
-- Endpoints as they are shown: without secrets.
create view tollgate.webhook_view with (security_invoker = true) as
select e.id, e.organization_id, e.url, e.types, e.created_by, e.created_at, e.previous_until, e.disabled_at
from tollgate.webhook_endpoints e;

grant select on tollgate.webhook_view to tollgate_token_api, service_role;

-- Deliveries as they are shown; `cursor` orders them.
create view tollgate.webhook_delivery_view with (security_invoker = true) as
select d.id, d.endpoint_id, d.organization_id, d.type, d.payload, d.created_at, d.state,
  case when d.state = 'pending' then d.due_at end as next_attempt_at, d.attempts, d.last_status, d.last_error, d.delivered_at,
  d.log, d.seq::text as cursor
from tollgate.webhook_deliveries d;

grant select on tollgate.webhook_delivery_view to tollgate_token_api, service_role;

-- schemas/40-functions/add_period_totals.sql
-- Purpose: add ledger entries to the totals of their periods. Parameters: entries; with_due_users (organizations of which a user
--   became due by them, from mark_due_users).
-- Returns: jsonb array of { organization_id, period_start, used_tokens (text), evaluate }, one for each total touched;
--   evaluate = this total, or that of a user with a limit, has reached a value that could change a decision.
-- Locks: rows of period_totals in the order of their primary key, last of all: they are the hottest.
-- Invariant: a period's total is the fold of the ledger. Late usage of a past period never wakes the enforcer.
create function tollgate.add_period_totals(fresh tollgate.judged_event[], with_due_users uuid[]) returns jsonb
language sql volatile security invoker set search_path = ''
as $$
  with added as (
    select
      f.organization_id, f.period_start, bool_or(f.is_current_period) as is_current,
      sum(f.total_tokens) as used_tokens, coalesce(sum(f.cost_usd), 0) as cost_usd,
      coalesce(sum(f.charge_usd), 0) as charge_usd, sum(f.event_count) as event_count,
      sum(f.unpriced_events) as unpriced_events
    from unnest(fresh) f
    group by f.organization_id, f.period_start
  ), total as (
    insert into tollgate.period_totals as t (
      organization_id, period_start, used_tokens, cost_usd, charge_usd, event_count, unpriced_events)
    select a.organization_id, a.period_start, a.used_tokens, a.cost_usd, a.charge_usd, a.event_count, a.unpriced_events
    from added a
    order by a.organization_id, a.period_start
    on conflict (organization_id, period_start) do update set
      used_tokens = t.used_tokens + excluded.used_tokens,
      cost_usd = t.cost_usd + excluded.cost_usd,
      charge_usd = t.charge_usd + excluded.charge_usd,
      event_count = t.event_count + excluded.event_count,
      unpriced_events = t.unpriced_events + excluded.unpriced_events,
      -- A total that falls may open the gate again: whatever it is now, it is to be looked at.
      evaluate_at = case when excluded.used_tokens < 0
        then least(0, t.used_tokens + excluded.used_tokens) else t.evaluate_at end,
      updated_at = now()
    returning t.organization_id, t.period_start, t.used_tokens, t.is_due
  )
  select coalesce(jsonb_agg(jsonb_build_object(
    'organization_id', t.organization_id,
    'period_start', t.period_start,
    'used_tokens', t.used_tokens::text,
    'evaluate', a.is_current and (t.is_due or t.organization_id = any(with_due_users)))), '[]')
  from total t join added a on a.organization_id = t.organization_id and a.period_start = t.period_start
$$;

grant execute on function tollgate.add_period_totals to tollgate_usage_worker, service_role;

-- schemas/40-functions/announce_logins.sql
-- Purpose: put events of login sessions into the outbox, from where the token API carries them to the queue.
-- Parameters: sessions (rows as they now are), type (login.started, login.refreshed or login.ended). Returns: nothing.
-- Locks: none. Invariant: called in the transaction that changed the rows, so that neither is without the other.
create function tollgate.announce_logins(sessions tollgate.login_sessions[], type text) returns void
language sql volatile security invoker set search_path = ''
as $$
  insert into tollgate.session_event_outbox (event)
  select jsonb_strip_nulls(jsonb_build_object(
    'type', announce_logins.type,
    'source', 'tollgate/token-api',
    'id', s.id || case announce_logins.type
      when 'login.started' then '' when 'login.ended' then '.ended' else '.' || s.generation end,
    'time', to_char(e.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'received_at', to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'member', true,
    'organization_id', s.organization_id,
    'user_id', s.user_id,
    'login_session_id', s.id,
    'expires_at', case when announce_logins.type <> 'login.ended'
      then to_char(s.expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') end,
    'reason', case when announce_logins.type = 'login.ended' then s.end_reason end))
  from unnest(sessions) s
  cross join lateral (select case announce_logins.type
    when 'login.started' then s.started_at when 'login.ended' then s.ended_at else s.last_used_at end as at) e
  order by s.id
$$;

grant execute on function tollgate.announce_logins to tollgate_token_api, service_role;

-- schemas/40-functions/append_ledger.sql
-- Purpose: append entries to the ledger. Parameters: entries (events that were claimed, corrections). Returns: nothing.
-- Invariant: the ledger is only ever appended to.
create function tollgate.append_ledger(fresh tollgate.judged_event[]) returns void
language sql volatile security invoker set search_path = ''
as $$
  insert into tollgate.usage_events (
    organization_id, digest, source, event_id, time, received_at, user_id, session_id, message_id, provider, model,
    entry, revision, imported, after_revocation, input_tokens, output_tokens, cache_read_input_tokens,
    cache_creation_input_tokens, reasoning_output_tokens, total_tokens, message_count, event_count, unpriced_events,
    usage_date, period_start, original_period_start, price_id, cost_usd, charge_usd)
  select
    f.organization_id, f.digest, f.source, f.event_id, f.time, f.received_at, f.user_id, f.session_id, f.message_id,
    f.provider, f.model, f.entry, f.revision, f.imported, f.after_revocation, f.input_tokens, f.output_tokens,
    f.cache_read_input_tokens, f.cache_creation_input_tokens, f.reasoning_output_tokens, f.total_tokens,
    f.message_count, f.event_count, f.unpriced_events, f.usage_date, f.period_start, f.original_period_start,
    f.price_id, f.cost_usd, f.charge_usd
  from unnest(fresh) f
$$;

grant execute on function tollgate.append_ledger to tollgate_usage_worker, service_role;

-- schemas/40-functions/apply_corrections.sql
-- Purpose: apply the corrections of a batch, and those that waited for originals of this batch.
-- Parameters: judged (all events), fresh (usage events that were claimed and are in the ledger), probes (see
--   claim_identities). Returns: entries to be appended and added to the rollups; taken: ordinals of the corrections of this
--   batch that changed something or wait now.
-- Locks: identities of originals in the order (organization_id, digest), so that corrections of one original queue up;
--   then pending_corrections, likewise sorted.
-- Invariant: the highest revision holds, in whatever order corrections and original arrive, and however often.
create function tollgate.apply_corrections(
  judged tollgate.judged_event[], fresh tollgate.judged_event[], probes tollgate.judged_event[],
  out entries tollgate.judged_event[], out taken bigint[])
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  highest tollgate.judged_event[];
  waiting tollgate.judged_event[];
begin
  perform tollgate.release_probes(probes);
  highest := array(
    select distinct on (c.organization_id, c.digest) c.correction
    from (
      select j.organization_id, j.digest, j.revision, j.ordinal, j as correction
      from unnest(judged) j where j.type = 'usage.corrected' and j.rejection is null
      union all
      select p.organization_id, p.digest, p.revision, null,
        jsonb_populate_record(null::tollgate.judged_event, to_jsonb(p))
      from tollgate.pending_corrections p
      join unnest(fresh) f on f.organization_id = p.organization_id and f.digest = p.digest
    ) c
    order by c.organization_id, c.digest, c.revision desc, c.ordinal nulls first);

  perform from tollgate.usage_event_identities i
  join unnest(highest) h on h.organization_id = i.organization_id and h.digest = i.digest
  order by i.organization_id, i.digest
  for update of i;

  entries := array(select e from tollgate.correction_entries(highest) e);
  waiting := array(
    select h from unnest(highest) h
    where not exists (select from tollgate.usage_event_identities i
      where i.organization_id = h.organization_id and i.digest = h.digest));
  taken := tollgate.hold_corrections(waiting) || array(
    select distinct e.ordinal from unnest(entries) e where e.ordinal is not null); -- null: one that waited
  delete from tollgate.pending_corrections p
  using unnest(fresh) f where f.organization_id = p.organization_id and f.digest = p.digest;
end
$$;

grant execute on function tollgate.apply_corrections to tollgate_usage_worker, service_role;

-- schemas/40-functions/apply_enforcement.sql
-- Purpose: put a decision into force, if the state is still the one it was made from.
-- Parameters: decision = { organization_id, expected_revision (text, null: no state yet), state, reason, actor,
--   period_start, period_end, due_at (null: time alone changes nothing before the period ends), lapses (true: what is taken away
--   is until period_end alone), reduced_config (null: nothing reduced), observed (null: nothing withheld), reached,
--   base_limit_tokens, inputs_key, evaluate_at, evaluate_below, evaluate_at_usd, evaluate_below_usd (text, null: never),
--   inputs (what it was decided from), at (absent: the database's present) }.
-- Returns: one row: applied (false: somebody was quicker, load again), changed (a new decision is on record),
--   again (usage passed the outlook meanwhile: evaluate again), and the state that now holds.
-- Locks: the enforcement state, then the period total. Invariant: versions and revisions only rise; version rises exactly
--   when what issued tokens say is stale; every change of state has its decision,
--   and what people are told of it stands in the outbox of webhooks.
create function public.apply_enforcement(decision jsonb)
returns table (
  applied boolean, changed boolean, again boolean, organization_id uuid, state text, version text, revision text,
  reason text, decision_id uuid, period_end timestamptz, lapses boolean, reduced_config jsonb, epoch text)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  wanted record;
  held tollgate.enforcement_states;
  control tollgate.enforcement_control;
  made tollgate.quota_decisions;
  is_over boolean; -- what was taken away had lapsed before this was decided
begin
  select d.*, coalesce(d.at, now()) as decided_at into wanted from jsonb_to_record(tollgate.unwrap(decision)) as d (
    organization_id uuid, expected_revision bigint, state text, reason text, actor text, period_start timestamptz,
    period_end timestamptz, due_at timestamptz, lapses boolean, reduced_config jsonb, observed jsonb, reached jsonb,
    base_limit_tokens bigint, inputs_key text, evaluate_at bigint, evaluate_below bigint, evaluate_at_usd numeric, evaluate_below_usd numeric,
    inputs jsonb, at timestamptz);
  -- JSON's null is no SQL null in a jsonb column.
  wanted.reduced_config := nullif(wanted.reduced_config, 'null');
  wanted.observed := nullif(wanted.observed, 'null');
  select c.* into control from tollgate.enforcement_control c;

  select * into held from tollgate.enforcement_states s where s.organization_id = wanted.organization_id for update;
  if held.organization_id is null and wanted.expected_revision is null then
    insert into tollgate.enforcement_states (organization_id, state, version, period_start, period_end, inputs_key)
    values (wanted.organization_id, 'active', control.version_floor, wanted.period_start, wanted.period_end, wanted.inputs_key)
    on conflict do nothing
    returning * into held;
    applied := held.organization_id is not null;
  else
    applied := held.revision is not distinct from wanted.expected_revision;
  end if;
  changed := false;
  again := not applied;

  if applied then
    if held.period_start < wanted.period_start then
      -- Also of periods that began and ended while nobody decided, where something was used.
      perform tollgate.notify_period(held.organization_id, e.period_start, e.period_end)
      from (
        select held.period_start, held.period_end
        union
        select p.period_start, p.period_end
        from tollgate.period_totals t cross join lateral tollgate.organization_period(t.organization_id, t.period_start) p
        where t.organization_id = held.organization_id and t.period_start > held.period_start
          and t.period_start < wanted.period_start) e
      order by e.period_start;
    end if;
    is_over := wanted.period_start > held.period_start
      and tollgate.is_lapsed(held.lapses, held.period_end, wanted.decided_at);
    if is_over and wanted.state in ('downgraded', 'revoked') then
      held.told_under := tollgate.told_under(held.told_under, wanted.inputs_key);
      held.version := tollgate.end_lapsed(wanted.organization_id, null, held.state, held.version, held.period_end,
        wanted.decided_at, wanted.actor, wanted.inputs, held.told_under);
      held.state := 'active'; held.reduced_config := null; held.observed := null; held.reason := null;
      is_over := false;
    end if;
    -- A higher step of the same state is a change too: it has a reason of its own.
    changed := held.state <> wanted.state or held.reduced_config is distinct from wanted.reduced_config
      or held.observed is distinct from wanted.observed
      or (wanted.state <> 'active' and held.reason is distinct from wanted.reason);
    if changed then
      held.version := held.version + case when (held.state = 'revoked') <> (wanted.state = 'revoked')
        or held.reduced_config is distinct from wanted.reduced_config then 1 else 0 end;
      insert into tollgate.quota_decisions (
        organization_id, decided_at, effective_at, from_state, to_state, version, reason, observed, actor, inputs)
      values (wanted.organization_id, wanted.decided_at, case when is_over then held.period_end end, held.state, wanted.state,
        held.version, wanted.reason, wanted.observed, wanted.actor, wanted.inputs)
      returning * into made;
      held.decision_id := made.id;
      held.decided_at := wanted.decided_at;
      held.told_under := tollgate.told_under(held.told_under, wanted.inputs_key);
      perform tollgate.notify_decision(made, held.told_under);
    end if;
    if changed or held.period_end <> wanted.period_end or held.inputs_key <> wanted.inputs_key then
      held.revision := nextval('tollgate.enforcement_revision');
    end if;
    update tollgate.enforcement_states s set
      state = wanted.state, version = held.version, revision = held.revision, reason = wanted.reason,
      decision_id = held.decision_id, period_start = wanted.period_start, period_end = wanted.period_end,
      due_at = coalesce(wanted.due_at, 'infinity'), lapses = coalesce(wanted.lapses, false),
      reduced_config = wanted.reduced_config, observed = wanted.observed,
      reached = coalesce(wanted.reached, '{}'), base_limit_tokens = wanted.base_limit_tokens, inputs_key = wanted.inputs_key,
      told_under = held.told_under, decided_at = held.decided_at
    where s.organization_id = wanted.organization_id
    returning s.* into held;
    insert into tollgate.period_totals as t (
      organization_id, period_start, evaluate_at, evaluate_below, evaluate_at_usd, evaluate_below_usd)
    values (wanted.organization_id, wanted.period_start, wanted.evaluate_at, wanted.evaluate_below, wanted.evaluate_at_usd,
      wanted.evaluate_below_usd)
    on conflict (organization_id, period_start) do update set
      evaluate_at = excluded.evaluate_at, evaluate_below = excluded.evaluate_below,
      evaluate_at_usd = excluded.evaluate_at_usd, evaluate_below_usd = excluded.evaluate_below_usd
    returning t.is_due into again;
  end if;

  organization_id := wanted.organization_id; state := held.state; version := held.version::text;
  revision := held.revision::text; reason := held.reason; decision_id := held.decision_id;
  period_end := held.period_end; lapses := held.lapses; reduced_config := held.reduced_config; epoch := control.epoch::text;
  return next;
end
$$;

revoke execute on function public.apply_enforcement from public, anon, authenticated;
grant execute on function public.apply_enforcement to tollgate_quota_enforcer, service_role;

-- schemas/40-functions/apply_user_enforcement.sql
-- Purpose: put the decision on one user into force, if the state is still the one it was made from.
-- Parameters: decision = as for apply_enforcement, with user_id, from_date and to_date (the period's days), shared_key and
--   seen_changes (from load_user_positions), without base_limit_tokens.
-- Returns: one row: applied, changed, waits (the user stays due until those have ended who were recording usage when its row
--   came), and the state that now holds.
-- Locks: the user's enforcement state, then its limit. Invariant: as apply_enforcement; what has changed since it was decided
--   leaves the user due.
create function public.apply_user_enforcement(decision jsonb)
returns table (
  applied boolean, changed boolean, waits boolean, organization_id uuid, user_id uuid, state text, version text, revision text, reason text,
  decision_id uuid, period_end timestamptz, lapses boolean, reduced_config jsonb, epoch text)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  wanted record;
  held tollgate.user_enforcement_states;
  made tollgate.quota_decisions;
  outlook tollgate.user_quotas;
  is_over boolean;
  was_settled boolean;
  again boolean; -- there is more than this was decided from
begin
  select d.*, coalesce(d.at, now()) as decided_at into wanted from jsonb_to_record(tollgate.unwrap(decision)) as d (
    organization_id uuid, user_id uuid, expected_revision bigint, state text, reason text, actor text, period_start timestamptz,
    period_end timestamptz, due_at timestamptz, lapses boolean, reduced_config jsonb, observed jsonb, reached jsonb,
    inputs_key text,
    evaluate_at bigint, evaluate_below bigint, evaluate_at_usd numeric, evaluate_below_usd numeric, from_date date,
    to_date date, shared_key text, seen_changes bigint, inputs jsonb, at timestamptz);
  wanted.reduced_config := nullif(wanted.reduced_config, 'null');
  wanted.observed := nullif(wanted.observed, 'null');

  select * into held from tollgate.user_enforcement_states s
  where s.organization_id = wanted.organization_id and s.user_id = wanted.user_id for update;
  if held.user_id is null and wanted.expected_revision is null then
    insert into tollgate.user_enforcement_states (organization_id, user_id, state, period_start, period_end, inputs_key)
    values (wanted.organization_id, wanted.user_id, 'active', wanted.period_start, wanted.period_end, wanted.inputs_key)
    on conflict do nothing
    returning * into held;
    applied := held.user_id is not null;
  else
    applied := held.revision is not distinct from wanted.expected_revision;
  end if;
  changed := false;
  waits := false;

  if applied then
    is_over := wanted.period_start > held.period_start
      and tollgate.is_lapsed(held.lapses, held.period_end, wanted.decided_at);
    if is_over and wanted.state in ('downgraded', 'revoked') then
      held.told_under := tollgate.told_under(held.told_under, wanted.inputs_key);
      held.version := tollgate.end_lapsed(wanted.organization_id, wanted.user_id, held.state, held.version, held.period_end,
        wanted.decided_at, wanted.actor, wanted.inputs, held.told_under);
      held.state := 'active'; held.reduced_config := null; held.observed := null; held.reason := null;
      is_over := false;
    end if;
    changed := held.state <> wanted.state or held.reduced_config is distinct from wanted.reduced_config
      or held.observed is distinct from wanted.observed
      or (wanted.state <> 'active' and held.reason is distinct from wanted.reason);
    if changed then
      held.version := held.version + case when (held.state = 'revoked') <> (wanted.state = 'revoked')
        or held.reduced_config is distinct from wanted.reduced_config then 1 else 0 end;
      insert into tollgate.quota_decisions (
        organization_id, user_id, decided_at, effective_at, from_state, to_state, version, reason, observed, actor, inputs)
      values (wanted.organization_id, wanted.user_id, wanted.decided_at, case when is_over then held.period_end end, held.state,
        wanted.state, held.version, wanted.reason, wanted.observed, wanted.actor, wanted.inputs)
      returning * into made;
      held.decision_id := made.id;
      held.decided_at := wanted.decided_at;
      held.told_under := tollgate.told_under(held.told_under, wanted.inputs_key);
      perform tollgate.notify_decision(made, held.told_under);
    end if;
    if changed or held.period_end <> wanted.period_end or held.inputs_key <> wanted.inputs_key then
      held.revision := nextval('tollgate.enforcement_revision');
    end if;
    update tollgate.user_enforcement_states s set
      state = wanted.state, version = held.version, revision = held.revision, reason = wanted.reason,
      decision_id = held.decision_id, period_start = wanted.period_start, period_end = wanted.period_end,
      due_at = coalesce(wanted.due_at, 'infinity'), lapses = coalesce(wanted.lapses, false),
      reduced_config = wanted.reduced_config, observed = wanted.observed,
      reached = coalesce(wanted.reached, '{}'), inputs_key = wanted.inputs_key, shared_key = wanted.shared_key,
      told_under = held.told_under, decided_at = held.decided_at
    where s.organization_id = wanted.organization_id and s.user_id = wanted.user_id
    returning s.* into held;
    -- Who falls under a default gets a row for the outlook. Version 0, as without a row: inputs_key goes on to agree.
    insert into tollgate.user_quotas as u (organization_id, user_id, is_own, version, updated_by, from_date, to_date, evaluate_at,
      evaluate_below, evaluate_at_usd, evaluate_below_usd, seen_changes)
    values (wanted.organization_id, wanted.user_id, false, 0, wanted.actor, wanted.from_date, wanted.to_date, wanted.evaluate_at,
      wanted.evaluate_below, wanted.evaluate_at_usd, wanted.evaluate_below_usd, wanted.seen_changes)
    on conflict (organization_id, user_id) do update set
      from_date = excluded.from_date, to_date = excluded.to_date, evaluate_at = excluded.evaluate_at,
      evaluate_below = excluded.evaluate_below, evaluate_at_usd = excluded.evaluate_at_usd,
      evaluate_below_usd = excluded.evaluate_below_usd, seen_changes = excluded.seen_changes
    returning u.* into outlook;
    -- Usage that was judged by the outlook before: it is committed by now, since the row is locked; where the row is new, once
    -- those have ended who were recording and had not seen it. What has committed by then is summed below.
    was_settled := outlook.is_settled;
    if not was_settled then
      outlook.waits_for := tollgate.still_recording(outlook.waits_for);
      outlook.is_settled := outlook.waits_for = '{}';
    end if;
    again := not outlook.is_settled or tollgate.is_beyond_outlook(outlook);
    waits := not outlook.is_settled;
    if again or not was_settled then
      update tollgate.user_quotas u
      set changes = u.changes + again::integer, is_settled = outlook.is_settled, waits_for = outlook.waits_for
      where u.organization_id = wanted.organization_id and u.user_id = wanted.user_id;
    end if;
  end if;

  organization_id := wanted.organization_id; user_id := wanted.user_id; state := held.state; version := held.version::text;
  revision := held.revision::text; reason := held.reason; decision_id := held.decision_id; period_end := held.period_end;
  lapses := held.lapses; reduced_config := held.reduced_config; epoch := (select c.epoch::text from tollgate.enforcement_control c);
  return next;
end
$$;

revoke execute on function public.apply_user_enforcement from public, anon, authenticated;
grant execute on function public.apply_user_enforcement to tollgate_quota_enforcer, service_role;

-- schemas/40-functions/audit_reserved.sql
-- Purpose: compare the totals of open holds with the holds themselves, a slice of organizations at a time, and put right
--   what differs by setting it. Parameters: after_organization (null: from the first), max_rows.
-- Returns: one row: last_organization (null: there is none further), drift_tokens (sum of the differences, as text), repaired
--   (organizations). Locks: reserved_totals of the slice, sorted. Invariant: a total is set, never incremented here.
create function public.audit_reserved(after_organization uuid, max_rows integer)
returns table (last_organization uuid, drift_tokens text, repaired integer)
language plpgsql volatile security invoker set search_path = '' set jit = off
as $$
declare
  slice uuid[] := array(
    select t.organization_id from tollgate.reserved_totals t
    where after_organization is null or t.organization_id > after_organization
    order by t.organization_id limit max_rows);
begin
  perform tollgate.lock_holds(slice);
  with truth as (
    select t.organization_id, t.reserved_tokens as counted, coalesce((
      select sum(r.total_tokens) from tollgate.reservations r
      where r.organization_id = t.organization_id and r.state in ('held', 'committing')), 0)::bigint as held
    from tollgate.reserved_totals t where t.organization_id = any(slice)
  ), repair as (
    update tollgate.reserved_totals t set reserved_tokens = w.held, updated_at = now()
    from truth w where t.organization_id = w.organization_id and w.held <> w.counted
  )
  select coalesce(sum(abs(w.held - w.counted)), 0)::text, count(*) filter (where w.held <> w.counted)
  into drift_tokens, repaired from truth w;
  last_organization := case when cardinality(slice) = max_rows then slice[max_rows] end;
  return next;
end
$$;

revoke execute on function public.audit_reserved from public, anon, authenticated;
grant execute on function public.audit_reserved to tollgate_quota_enforcer, service_role;

-- schemas/40-functions/begin_epoch.sql
-- Purpose: go on safely after Postgres was restored to an earlier point: revisions and versions that were given out since
--   then would be given out again, and what they once said would be believed. A new epoch lets both rise above them.
-- Parameters: seen = { epoch (what Postgres says it is; another one: somebody was quicker), seen_epoch, seen_revision (the
--   highest that anybody has seen), actor, reason }.
-- Returns: one row: begun, epoch. Access tokens of earlier epochs are superseded.
-- Locks: the control row, then all enforcement states in the order of their keys. Invariant: epochs, revisions and versions
--   only rise.
create function public.begin_epoch(seen jsonb) returns table (begun boolean, epoch text)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(seen);
  held tollgate.enforcement_control;
  next_version bigint := extract(epoch from clock_timestamp())::bigint; -- versions rise by one a change: never this far
begin
  select * into held from tollgate.enforcement_control c for update;
  begun := held.epoch = (asked ->> 'epoch')::bigint;
  if begun then
    perform setval('tollgate.enforcement_revision', greatest(
      (select q.last_value from tollgate.enforcement_revision q), (asked ->> 'seen_revision')::bigint) + 1000);
    insert into tollgate.quota_decisions (kind, from_state, to_state, version, reason, actor, inputs)
    values ('act', 'epoch ' || held.epoch, 'new epoch', greatest(next_version, held.version_floor + 1), asked ->> 'reason',
      asked ->> 'actor', asked)
    returning id into held.decision_id;
    update tollgate.enforcement_control c set
      epoch = greatest(held.epoch, (asked ->> 'seen_epoch')::bigint) + 1,
      version_floor = greatest(next_version, held.version_floor + 1), decision_id = held.decision_id, changed_at = now(),
      revision = nextval('tollgate.enforcement_revision')
    returning c.* into held;
    perform from tollgate.enforcement_states s order by s.organization_id for update;
    update tollgate.enforcement_states s set
      version = greatest(s.version + 1, held.version_floor), revision = nextval('tollgate.enforcement_revision');
    perform from tollgate.user_enforcement_states u order by u.organization_id, u.user_id for update;
    update tollgate.user_enforcement_states u set
      version = u.version + 1, revision = nextval('tollgate.enforcement_revision');
  end if;
  epoch := held.epoch::text;
  return next;
end
$$;

revoke execute on function public.begin_epoch from public, anon, authenticated;
grant execute on function public.begin_epoch to tollgate_quota_enforcer, service_role;

-- schemas/40-functions/begin_idempotent.sql
-- Purpose: begin a write that must happen once per key, or say what became of it. Parameters: request = { caller, key,
--   fingerprint, seed, lease_seconds (after that a request that never ended may be made again), keep_seconds }.
-- Returns: one row: outcome ('begun': go on with the seed, which is that of the first try, and call finish_idempotent with the
--   attempt; 'running': somebody is at it; 'mismatch': the key was used for another request; 'answered': with status and answer).
-- Locks: the request's row; of two at once one begins. Old rows go, a few at a time, those in use excepted.
create function public.begin_idempotent(request jsonb) returns table (
  outcome text, status integer, answer text, seed text, attempt integer)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
  held tollgate.idempotent_requests;
begin
  select * into asked from jsonb_to_record(tollgate.unwrap(request)) as r (
    caller text, key text, fingerprint text, seed text, lease_seconds integer, keep_seconds integer);
  delete from tollgate.idempotent_requests i where (i.caller, i.key) in (
    select o.caller, o.key from tollgate.idempotent_requests o
    where o.begun_at < now() - make_interval(secs => asked.keep_seconds)
    order by o.begun_at limit 20 for update skip locked);
  insert into tollgate.idempotent_requests (caller, key, fingerprint, seed, leased_until)
  values (asked.caller, asked.key, asked.fingerprint, asked.seed, now() + make_interval(secs => asked.lease_seconds))
  on conflict (caller, key) do nothing;
  if found then
    return query select 'begun', null::integer, null::text, asked.seed, 1;
    return;
  end if;
  select i.* into held from tollgate.idempotent_requests i where i.caller = asked.caller and i.key = asked.key for update;
  if held.fingerprint <> asked.fingerprint then
    return query select 'mismatch', null::integer, null::text, null::text, null::integer;
  elsif held.leased_until is null then
    return query select 'answered', held.status, held.answer, null::text, null::integer;
  elsif held.leased_until > now() then
    return query select 'running', null::integer, null::text, null::text, null::integer;
  else
    update tollgate.idempotent_requests i
    set leased_until = now() + make_interval(secs => asked.lease_seconds), attempt = i.attempt + 1
    where i.caller = asked.caller and i.key = asked.key;
    return query select 'begun', null::integer, null::text, held.seed, held.attempt + 1;
  end if;
end
$$;

revoke execute on function public.begin_idempotent from public, anon, authenticated;
grant execute on function public.begin_idempotent to tollgate_token_api, service_role;

-- schemas/40-functions/broadcast_changes.sql
-- Purpose: tell open dashboards that something of their organization changed, through Supabase Realtime where the project
--   has it (realtime.send). Parameters: changed = { organizations: [uuid] }.
-- Returns: one row: offered (false: this database has no Realtime, pages ask by themselves), waiting (organizations that
--   were told less than a second ago and are to be named again).
-- Security definer: realtime belongs to the project, and no service may send whatever it likes.
-- Locks: rows of live_marks in their order. Invariant: a message says which organization and nothing else: what changed is
--   read under row level security; who may listen is decided by may_listen (docs/reports.md).
create function public.broadcast_changes(changed jsonb) returns table (offered boolean, waiting uuid[])
language plpgsql volatile security definer set search_path = ''
as $$
declare
  told uuid;
begin
  offered := to_regprocedure('realtime.send(jsonb, text, text, boolean)') is not null;
  waiting := '{}';
  if offered then
    waiting := array(
      select distinct o.id::uuid from jsonb_array_elements_text(tollgate.unwrap(changed) -> 'organizations') o (id) order by 1);
    for told in
      insert into tollgate.live_marks as m (organization_id, sent_at)
      select w.id, clock_timestamp() from unnest(waiting) w (id) order by w.id
      on conflict (organization_id) do update set sent_at = excluded.sent_at
      where m.sent_at <= excluded.sent_at - interval '1 second'
      returning m.organization_id
    loop
      perform realtime.send(jsonb_build_object('organization_id', told), 'changed', 'tollgate:' || told, true);
      waiting := array_remove(waiting, told);
    end loop;
  end if;
  return next;
end
$$;

-- Purpose: whether the signed-in user may listen to a Realtime topic of Tollgate: members to their own organization's,
--   super_admin to every one's. Parameters: topic. Returns: boolean; false for any other topic.
create function tollgate.may_listen(topic text) returns boolean
language sql stable security invoker set search_path = ''
as $$
  select coalesce(topic ~ '^tollgate:[0-9a-f-]{36}$'
    and (topic = 'tollgate:' || tollgate.my_organization_id() or tollgate.my_role() = 'super_admin'), false)
$$;

revoke execute on function public.broadcast_changes from public, anon, authenticated;
grant execute on function public.broadcast_changes to tollgate_usage_worker, tollgate_quota_enforcer, service_role;
grant execute on function tollgate.may_listen to authenticated;

-- schemas/40-functions/bury_inbox_row.sql
-- Purpose: keep an inbox row that cannot be recorded from blocking the others. A row of many events is split into rows of
--   one, which come up again by themselves; a single event is set aside as a dead letter.
-- Parameters: row_id, failure = why. Returns: events set aside, 0 or 1.
-- Locks: that row, which the caller holds. Invariant: nothing is lost: each event stands in the inbox or in dead_letters.
create function tollgate.bury_inbox_row(row_id bigint, failure text) returns integer
language sql volatile security invoker set search_path = ''
as $$
  with failed as (
    delete from tollgate.event_inbox where id = row_id returning events, received_at
  ), split as (
    insert into tollgate.event_inbox (received_at, events)
    select f.received_at, jsonb_build_array(e.event)
    from failed f cross join lateral jsonb_array_elements(f.events) e (event) where jsonb_array_length(f.events) > 1
  ), kept as (
    insert into tollgate.dead_letters (queue, reason, detail, payload)
    select 'event-inbox', 'not_recordable', failure, f.events::text from failed f where jsonb_array_length(f.events) <= 1
    returning id
  )
  select count(*)::integer from kept
$$;

grant execute on function tollgate.bury_inbox_row to tollgate_usage_worker, service_role;

-- schemas/40-functions/bury_session_events.sql
-- Purpose: set aside events of the outbox that cannot be read, so that they do not stop the others.
-- Parameters: batch = { "ids": [text, …], "detail": why }. Returns: one row: buried. Locks: the rows.
-- Invariant: each stands in the outbox or among the dead letters, whole.
create function public.bury_session_events(batch jsonb) returns table (buried integer)
language sql volatile security invoker set search_path = ''
as $$
  with gone as (
    delete from tollgate.session_event_outbox o
    using jsonb_array_elements_text(tollgate.unwrap(batch) -> 'ids') i (id) where o.id = i.id::bigint
    returning o.event
  ), kept as (
    insert into tollgate.dead_letters (queue, reason, detail, payload)
    select 'session-event-outbox', 'not_readable', tollgate.unwrap(batch) ->> 'detail', jsonb_build_array(g.event)::text
    from gone g
  )
  select count(*)::integer from gone
$$;

revoke execute on function public.bury_session_events from public, anon, authenticated;
grant execute on function public.bury_session_events to tollgate_token_api, service_role;

-- schemas/40-functions/change_schedule.sql
-- Purpose: let an organization's days and periods follow another time zone or anchor day, from its next period on; at once
--   where nothing was counted yet. Parameters: for_organization, zone (IANA name), anchor (1 to 31), at (when it was asked
--   for). Returns: nothing.
-- Locks: the organization's schedules. Invariant: what was counted keeps its day and period. The first period of the new
--   schedule ends at its first boundary that is at least 15 days away: a change gives nobody two allowances within hours.
create function tollgate.change_schedule(
  for_organization uuid, zone text, anchor integer, at timestamptz default now()) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  held tollgate.period_schedules;
  boundary timestamptz;
  first_end timestamptz;
begin
  perform from tollgate.period_schedules h where h.organization_id = for_organization order by h.valid_from for update;
  -- A change that has not begun yet is replaced.
  delete from tollgate.period_schedules h where h.organization_id = for_organization and h.valid_from > at;
  update tollgate.period_schedules h set valid_to = 'infinity'
  where h.organization_id = for_organization and h.valid_from <= at and h.valid_to > at and h.valid_to <> 'infinity';
  select h.* into held from tollgate.schedules_of(for_organization) h where h.valid_from <= at and at < h.valid_to;
  if held.time_zone = zone and held.anchor_day = anchor then return; end if;

  if not exists (select from tollgate.period_totals t where t.organization_id = for_organization) then
    delete from tollgate.period_schedules h where h.organization_id = for_organization;
    insert into tollgate.period_schedules (organization_id, time_zone, anchor_day) values (for_organization, zone, anchor);
    return;
  end if;

  boundary := tollgate.scheduled_end(at, held);
  first_end := tollgate.period_end(boundary, zone, anchor);
  if first_end < boundary + interval '15 days' then first_end := tollgate.period_end(first_end, zone, anchor); end if;
  held.valid_to := boundary;
  insert into tollgate.period_schedules values (held.*)
  on conflict (organization_id, valid_from) do update set valid_to = excluded.valid_to;
  insert into tollgate.period_schedules (organization_id, valid_from, time_zone, anchor_day, first_end)
  values (for_organization, boundary, zone, anchor, first_end);
end
$$;

-- Purpose: keep period_schedules in step with organization_settings, whoever changes them. A trigger.
create function tollgate.follow_settings() returns trigger
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  if tg_op = 'DELETE' then
    perform tollgate.change_schedule(old.organization_id, 'UTC', 1);
  elsif tg_op = 'INSERT' or (new.time_zone, new.period_anchor_day) is distinct from (old.time_zone, old.period_anchor_day) then
    perform tollgate.change_schedule(new.organization_id, new.time_zone, new.period_anchor_day);
  end if;
  return null;
end
$$;

create trigger follow_settings after insert or update or delete on tollgate.organization_settings
  for each row execute function tollgate.follow_settings();

grant execute on function tollgate.change_schedule, tollgate.follow_settings
  to tollgate_token_api, tollgate_usage_worker, tollgate_quota_enforcer, service_role;

-- schemas/40-functions/change_webhooks.sql
-- Purpose: put an endpoint on record. Parameters: change = { id, organization_id (null: the operator's), url, types, sealed_secret,
--   actor }. Returns: no row for an unknown organization, else one: refusal (full: there are 20 already; null: it is on record), and the
--   endpoint without its secret.
-- Locks: whatever else makes one of the same owner. Invariant: repeated with the same id it changes nothing. Whoever decides writes a
--   row an endpoint: so many that decisions would take too long nobody has.
create function public.create_webhook(change jsonb)
returns table (
  refusal text, id uuid, organization_id uuid, url text, types text[], created_by text, created_at timestamptz,
  previous_until timestamptz, disabled_at timestamptz)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
begin
  select * into asked from jsonb_to_record(tollgate.unwrap(change)) as c (
    id uuid, organization_id uuid, url text, types text[], sealed_secret text, actor text);
  if asked.organization_id is not null and not exists (
    select from tollgate.directory_organizations o where o.organization_id = asked.organization_id) then return; end if;
  perform pg_advisory_xact_lock(hashtextextended('tollgate.create_webhook:' || coalesce(asked.organization_id::text, 'all'), 0));
  if not exists (select from tollgate.webhook_endpoints e where e.id = asked.id) and (
    select count(*) from tollgate.webhook_endpoints e
    where e.organization_id is not distinct from asked.organization_id and e.disabled_at is null) >= 20 then
    refusal := 'full';
    return next;
    return;
  end if;
  insert into tollgate.webhook_endpoints (id, organization_id, url, types, sealed_secret, created_by)
  values (asked.id, asked.organization_id, asked.url, asked.types, asked.sealed_secret, asked.actor)
  on conflict (id) do nothing;
  if found then
    perform tollgate.record_audit(asked.actor, 'webhook.created', 'webhook:' || asked.id,
      jsonb_build_object('url', asked.url, 'types', asked.types), asked.organization_id);
  end if;
  return query select null, v.* from tollgate.webhook_view v where v.id = asked.id;
end
$$;

-- Purpose: endpoints that are in use. Parameters: query = { organization_id (null: the operator's) }.
-- Returns: a row each, without secrets, newest first. Reads only.
create function public.list_webhooks(query jsonb) returns setof tollgate.webhook_view
language sql stable security invoker set search_path = ''
as $$
  select v.* from tollgate.webhook_view v
  where v.organization_id is not distinct from (tollgate.unwrap(query) ->> 'organization_id')::uuid and v.disabled_at is null
  order by v.created_at desc, v.id
$$;

-- Purpose: remove an endpoint: nothing is sent any more, the log stays. Parameters: change = { organization_id, id, actor }.
-- Returns: no row for an unknown or removed one, else one. Locks: the endpoint, then its deliveries.
create function public.remove_webhook(change jsonb) returns setof tollgate.webhook_view
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  asked record;
begin
  select * into asked from jsonb_to_record(tollgate.unwrap(change)) as c (organization_id uuid, id uuid, actor text);
  update tollgate.webhook_endpoints e set disabled_at = now()
  where e.id = asked.id and e.organization_id is not distinct from asked.organization_id and e.disabled_at is null;
  if not found then return; end if;
  update tollgate.webhook_deliveries d set state = 'dead', last_error = 'the endpoint was removed'
  where d.endpoint_id = asked.id and d.state = 'pending';
  perform tollgate.record_audit(asked.actor, 'webhook.removed', 'webhook:' || asked.id, '{}', asked.organization_id);
  return query select v.* from tollgate.webhook_view v where v.id = asked.id;
end
$$;

-- Purpose: give an endpoint a new secret; for the overlap what is sent bears the signatures of both.
-- Parameters: change = { organization_id, id, sealed_secret, overlap_seconds (0: the old one ends now), actor }.
-- Returns: no row for an unknown or removed one, else one. Locks: the endpoint. Invariant: repeated with the same seal it
--   changes nothing.
create function public.rotate_webhook(change jsonb) returns setof tollgate.webhook_view
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  asked record;
begin
  select * into asked from jsonb_to_record(tollgate.unwrap(change)) as c (
    organization_id uuid, id uuid, sealed_secret text, overlap_seconds integer, actor text);
  update tollgate.webhook_endpoints e set previous_sealed_secret = e.sealed_secret, sealed_secret = asked.sealed_secret,
    previous_until = now() + make_interval(secs => asked.overlap_seconds)
  where e.id = asked.id and e.organization_id is not distinct from asked.organization_id and e.disabled_at is null
    and e.sealed_secret <> asked.sealed_secret;
  if found then
    perform tollgate.record_audit(asked.actor, 'webhook.rotated', 'webhook:' || asked.id,
      jsonb_build_object('overlap_seconds', asked.overlap_seconds), asked.organization_id);
  end if;
  return query select v.* from tollgate.webhook_view v
    join tollgate.webhook_endpoints e on e.id = v.id and e.sealed_secret = asked.sealed_secret and e.disabled_at is null
    where v.id = asked.id and v.organization_id is not distinct from asked.organization_id;
end
$$;

-- Purpose: what was sent to an endpoint. Parameters: query = { organization_id (null: the operator's), endpoint_id, before? =
--   the `cursor` of the last row of the page before, max_rows }. Returns: a row a delivery, newest first. Reads only.
create function public.list_webhook_deliveries(query jsonb) returns setof tollgate.webhook_delivery_view
language sql stable security invoker set search_path = ''
as $$
  select v.*
  from jsonb_to_record(tollgate.unwrap(query)) as q (organization_id uuid, endpoint_id uuid, before bigint, max_rows integer)
  join tollgate.webhook_endpoints e on e.id = q.endpoint_id and e.organization_id is not distinct from q.organization_id
  join tollgate.webhook_deliveries d on d.endpoint_id = e.id and (q.before is null or d.seq < q.before)
  join tollgate.webhook_delivery_view v on v.id = d.id
  order by d.seq desc
  limit (select max_rows from jsonb_to_record(tollgate.unwrap(query)) as q (max_rows integer))
$$;

-- Purpose: send a delivery once more, with the same webhook-id. Parameters: change = { organization_id, endpoint_id, id,
--   actor }. Returns: no row for an unknown one or a removed endpoint, else one. Locks: the delivery.
create function public.replay_webhook(change jsonb) returns setof tollgate.webhook_delivery_view
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  asked record;
begin
  select * into asked from jsonb_to_record(tollgate.unwrap(change)) as c (
    organization_id uuid, endpoint_id uuid, id uuid, actor text);
  update tollgate.webhook_deliveries d set state = 'pending', due_at = now(), attempts = 0, delivered_at = null
  from tollgate.webhook_endpoints e
  where d.id = asked.id and d.endpoint_id = asked.endpoint_id and e.id = d.endpoint_id and e.disabled_at is null
    and e.organization_id is not distinct from asked.organization_id;
  if not found then return; end if;
  perform tollgate.record_audit(asked.actor, 'webhook.replayed', 'webhook:' || asked.endpoint_id,
    jsonb_build_object('delivery_id', asked.id), asked.organization_id);
  return query select v.* from tollgate.webhook_delivery_view v where v.id = asked.id;
end
$$;

revoke execute on function public.create_webhook, public.list_webhooks, public.remove_webhook, public.rotate_webhook,
  public.list_webhook_deliveries, public.replay_webhook from public, anon, authenticated;
grant execute on function public.create_webhook, public.list_webhooks, public.remove_webhook, public.rotate_webhook,
  public.list_webhook_deliveries, public.replay_webhook to tollgate_token_api, service_role;

-- schemas/40-functions/check_sessions.sql
-- Purpose: compare the chat sessions that started on a day with the ledger, a window of nine days at a time, and where asked
--   put right what is off. Parameters: for_organization; at (the day, or `day>window` for a later window); carried (null: the
--   first window), repair.
-- Returns: suspects' drift as jsonb array of { user_id, session_id, tokens_off, cost_off }; next_at and next_carried: the
--   next window and what it has to know: { user_id, session_id, sums, entries } (as text) of the sessions that go on; null:
--   none.
-- Locks: see repair_sessions. Invariant: a call reads a window of the ledger, however long a session lives. Sums of earlier
--   windows may be overtaken by a correction: so they only cast a suspicion, and what is suspected is looked at as a whole,
--   in one snapshot, before it is called a drift.
create function tollgate.check_sessions(for_organization uuid, at text, carried jsonb, repair boolean,
  out drift jsonb, out next_at text, out next_carried jsonb)
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  day date := split_part(at, '>', 1)::date;
  from_date date := coalesce(nullif(split_part(at, '>', 2), '')::date, day - 1);
  to_date date := from_date + 8;
  users uuid[];
  sessions text[];
begin
  select array_agg(w.user_id) filter (where w.is_complete and w.is_off),
    array_agg(w.session_id) filter (where w.is_complete and w.is_off),
    jsonb_agg((select jsonb_object_agg(x.key, x.value #>> '{}') -- as text: it comes back by way of JavaScript
      from jsonb_each(to_jsonb(w) - '{is_complete,is_off}'::text[]) x)) filter (where not w.is_complete)
  into users, sessions, next_carried
  from (
    select f.*, row(f.message_count, f.input_tokens, f.output_tokens, f.total_tokens, f.cost_usd, f.charge_usd,
        f.unpriced_events, f.message_count, f.total_tokens)
      is distinct from row(s.message_count, s.input_tokens, s.output_tokens, s.total_tokens, s.cost_usd, s.charge_usd,
        s.unpriced_events, coalesce((s.session_metadata ->> 'messages')::numeric, 0),
        coalesce((s.session_metadata ->> 'tokens')::numeric, 0)) as is_off
    from tollgate.fold_session_window(for_organization, day, from_date, to_date, coalesce(carried, '[]')) f
    join public.chat_sessions s on s.organization_id = for_organization and s.user_id = f.user_id
      and s.librechat_session_id = f.session_id) w;
  next_at := case when next_carried is not null then day || '>' || to_date + 1 end;
  select coalesce(jsonb_agg(to_jsonb(d)), '[]') into drift
  from (select f.* from tollgate.find_session_drift(for_organization, users, sessions) f limit 1000) d
  where users is not null;
  if repair and drift <> '[]' then
    perform tollgate.repair_sessions(for_organization, users, sessions);
  end if;
end
$$;

grant execute on function tollgate.check_sessions to tollgate_usage_worker, service_role;

-- schemas/40-functions/check_slice.sql
-- Purpose: compare one slice of the books with the ledger and, where asked, put it right.
-- Parameters: stage (days, months, sessions, periods), for_organization, at (day, the month's first, or the period's start;
--   of sessions see check_sessions, as for carried), repair.
-- Returns: drift: jsonb array of { rollup, organization_id, at, user_id?, model?, session_id?, tokens_off, cost_off } (text
--   amounts: what the rollup had too little), at most a thousand; changed: rows are locked and were written.
-- Locks: only where something is off, is to be folded or was there before Tollgate: see check_month, repair_day,
--   post_opening_balances, repair_sessions, repair_period; each at most once, since whoever has a period's total must not ask
--   for a day's rows again.
create function tollgate.check_slice(
  stage text, for_organization uuid, at text, repair boolean, carried jsonb default null,
  out drift jsonb, out changed boolean, out next_at text, out next_carried jsonb)
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  if stage = 'sessions' then
    select c.drift, c.next_at, c.next_carried into drift, next_at, next_carried
    from tollgate.check_sessions(for_organization, at, carried, repair) c;
    select coalesce(jsonb_agg(d || jsonb_build_object('rollup', 'chat_sessions', 'organization_id', for_organization,
      'at', split_part(at, '>', 1), 'tokens_off', d ->> 'tokens_off', 'cost_off', d ->> 'cost_off')), '[]')
    into drift from jsonb_array_elements(drift) d;
    changed := repair and drift <> '[]';
    return;
  end if;
  if stage = 'months' then
    select c.drift, c.changed into drift, changed from tollgate.check_month(for_organization, at::date, repair) c;
    return;
  end if;
  select coalesce(jsonb_agg(jsonb_strip_nulls(to_jsonb(d)) || jsonb_build_object(
    'organization_id', for_organization, 'at', at, 'tokens_off', d.tokens_off::text, 'cost_off', d.cost_off::text)), '[]')
  into drift
  from (
    select d.rollup, d.user_id, d.model, d.session_id, d.tokens_off, d.cost_off
    from tollgate.find_day_drift(for_organization, case when stage = 'days' then at::date end) d where stage = 'days'
    union all
    select 'period_totals', null, null, null, p.tokens_off, p.cost_off
    from tollgate.find_period_drift(for_organization, case when stage = 'periods' then at::timestamptz end) p
    where stage = 'periods'
    limit 1000
  ) d;
  changed := false;
  if repair and stage = 'days' then -- what was there before Tollgate is no drift; posting it repairs the day as well
    changed := tollgate.post_opening_balances(for_organization, at::date);
  end if;
  if repair and drift <> '[]' and not changed then
    changed := true;
    case stage
      when 'days' then perform tollgate.repair_day(for_organization, at::date);
      when 'periods' then perform tollgate.repair_period(for_organization, at::timestamptz);
    end case;
  end if;
end
$$;

grant execute on function tollgate.check_slice to tollgate_usage_worker, service_role;

-- schemas/40-functions/claim_identities.sql
-- Purpose: let each usage event count once: claim its identity, in the transaction that counts it.
-- Parameters: judged events. Returns: claimed: ordinals of the usage events that are new, the first of each identity in the
--   batch; probes: corrections whose original has not arrived; this transaction holds its identity (see release_probes).
-- Locks: identity rows in the order (organization_id, digest): unsorted inserts deadlock under redelivery.
-- Invariant: (organization, source, id) counts once, whatever else the event says. A correction claims the identity of its
--   original too: so it waits for a transaction that is just recording it, and one of the two always sees the other.
create function tollgate.claim_identities(
  judged tollgate.judged_event[], out claimed bigint[], out probes tollgate.judged_event[])
language sql volatile security invoker set search_path = ''
set enable_nestloop = off -- the planner cannot know how many events a batch has
as $$
  with first as materialized (
    select distinct on (j.organization_id, j.digest) j.ordinal, j.organization_id, j.digest, j.counts_digest, j.imported,
      j.type = 'usage.recorded' as is_usage, case when j.type = 'usage.corrected' then j end as correction
    from unnest(judged) j
    where j.type in ('usage.recorded', 'usage.corrected') and j.rejection is null
    order by j.organization_id, j.digest, j.type = 'usage.corrected', j.ordinal
  ), inserted as (
    insert into tollgate.usage_event_identities (organization_id, digest, counts_digest, imported)
    select f.organization_id, f.digest, f.counts_digest, f.imported from first f order by f.organization_id, f.digest
    on conflict do nothing
    returning organization_id, digest
  )
  select coalesce(array_agg(f.ordinal) filter (where f.is_usage), '{}'),
    coalesce(array_agg(f.correction) filter (where not f.is_usage), '{}')
  from first f join inserted i on i.organization_id = f.organization_id and i.digest = f.digest
$$;

-- Purpose: the events of a batch with the given ordinals. Parameters: judged, ordinals. Returns: those events. Reads only.
create function tollgate.pick_events(judged tollgate.judged_event[], ordinals bigint[]) returns tollgate.judged_event[]
language sql stable security invoker set search_path = ''
set enable_nestloop = off -- as above
as $$
  select coalesce(array_agg(j), '{}') from unnest(judged) j join unnest(ordinals) o (ordinal) on o.ordinal = j.ordinal
$$;

grant execute on function tollgate.claim_identities, tollgate.pick_events to tollgate_usage_worker, service_role;

-- schemas/40-functions/close_period.sql
-- Purpose: close an organization's period: freeze its statement. Parameters: request = { organization_id, at (any instant of
--   the period), closed_by }.
-- Returns: one row: outcome (closed, already_closed, not_over, no_usage) and the statement's figures as text.
-- Locks: a share of the books; the periods, against ingestion under way, for as long as the total is proved and frozen; then
--   total and statement.
-- Invariant: the statement is the period's total, proved by the ledger right before, and never changes.
create function public.close_period(request jsonb)
returns table (outcome text, organization_id uuid, period_start timestamptz, period_end timestamptz, used_tokens text,
  cost_usd text, charge_usd text, event_count text, unpriced_events text)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
  period record;
begin
  select r.* into asked from jsonb_to_record(tollgate.unwrap(request)) as r (
    organization_id uuid, at timestamptz, closed_by text);
  select p.* into period from tollgate.organization_period(asked.organization_id, asked.at) p;
  -- A minute's grace: a transaction that began before the end takes the period for the present one, which is never closed.
  if period.period_end > now() - interval '1 minute' then
    outcome := 'not_over';
  elsif exists (select from tollgate.period_statements s
      where s.organization_id = asked.organization_id and s.period_start = period.period_start) then
    outcome := 'already_closed';
  elsif not exists (select from tollgate.period_totals t
      where t.organization_id = asked.organization_id and t.period_start = period.period_start) then
    outcome := 'no_usage';
  else
    outcome := 'closed';
    perform pg_advisory_xact_lock_shared(hashtext('tollgate.books')); -- no month is sealed between the looks at it
    perform pg_advisory_xact_lock(hashtext('tollgate.periods')); -- before any row, as ingest_usage
    perform tollgate.check_slice('periods', asked.organization_id, period.period_start::text, true);
    insert into tollgate.period_statements (organization_id, period_start, period_end, time_zone, closed_by, used_tokens,
      cost_usd, charge_usd, event_count, unpriced_events)
    select t.organization_id, t.period_start, period.period_end, period.time_zone, asked.closed_by, t.used_tokens,
      t.cost_usd, t.charge_usd, t.event_count, t.unpriced_events
    from tollgate.period_totals t
    where t.organization_id = asked.organization_id and t.period_start = period.period_start
    on conflict do nothing;
    perform tollgate.record_audit(asked.closed_by, 'period.closed', 'organization:' || asked.organization_id,
      jsonb_build_object('period_start', period.period_start));
  end if;
  return query
    select outcome, asked.organization_id, period.period_start, period.period_end, s.used_tokens::text, s.cost_usd::text,
      s.charge_usd::text, s.event_count::text,
      (s.unpriced_events + tollgate.newly_priced(s.organization_id, s.period_start))::text
    from (select 1) one
    left join tollgate.period_statements s
      on s.organization_id = asked.organization_id and s.period_start = period.period_start;
end
$$;

-- Purpose: write the lines of closed statements that lack them: what the period consists of, by model.
-- Parameters: for_organization. Returns: one row: completed (statements).
-- Locks: a share of the books, so that no month is sealed between the look into ledger and closing figures; the statements.
-- Invariant: a closed period gains no entries any more, and a sealed one keeps its sums, so that this may be done at any
--   time after the freeze; the lines add up to the statement.
create function public.complete_statements(for_organization uuid) returns table (completed integer)
language sql volatile security invoker set search_path = ''
as $$
  select pg_advisory_xact_lock_shared(hashtext('tollgate.books'));
  with written as (
    update tollgate.period_statements s set lines = coalesce((
      select jsonb_agg(jsonb_build_object('model', l.model, 'total_tokens', l.total_tokens::text,
        'input_tokens', l.input_tokens::text, 'output_tokens', l.output_tokens::text, 'cost_usd', l.cost_usd::text,
        'charge_usd', l.charge_usd::text, 'event_count', l.event_count::text,
        'unpriced_events', l.unpriced_events::text) order by l.model)
      from tollgate.fold_period_models(s.organization_id, s.period_start) l), '[]')
    where s.organization_id = for_organization and s.lines is null
    returning s.period_start
  )
  select count(*)::integer from written
$$;

-- Purpose: statements of closed periods. Parameters: for_organization (null: all). Returns: a row each, newest first.
create function public.list_statements(for_organization uuid default null)
returns table (organization_id uuid, period_start timestamptz, period_end timestamptz, time_zone text,
  closed_at timestamptz, closed_by text, used_tokens text, cost_usd text, charge_usd text, event_count text,
  unpriced_events text, lines jsonb)
language sql stable security invoker set search_path = ''
as $$
  select s.organization_id, s.period_start, s.period_end, s.time_zone, s.closed_at, s.closed_by, s.used_tokens::text,
    s.cost_usd::text, s.charge_usd::text, s.event_count::text, s.unpriced_events::text, s.lines
  from tollgate.period_statements s
  where for_organization is null or s.organization_id = for_organization
  order by s.period_start desc, s.organization_id
$$;

revoke execute on function public.close_period, public.complete_statements, public.list_statements
  from public, anon, authenticated;
grant execute on function public.close_period, public.complete_statements, public.list_statements to service_role;

-- schemas/40-functions/close_sessions.sql
-- Purpose: close chat sessions that are over and that nobody has ended: idle ones, and those of users who logged out and of
--   organizations that were revoked within the last ten minutes (what comes later is found when it is idle).
-- Parameters: idle_seconds, max_rows of this call. Returns: a row a reason: reason, sessions (how many were closed).
-- Locks: rows of chat_sessions; those that somebody else holds are left for the next call, so that nobody waits.
-- Invariant: a session is closed once, however many workers call and whichever of them is killed; later activity opens it
--   again (roll_up_sessions), and then it may be closed again.
create function public.close_sessions(idle_seconds integer, max_rows integer)
returns table (reason text, sessions integer)
language sql volatile security invoker set search_path = ''
as $$
  with idle as materialized (
    select s.organization_id, s.user_id, s.librechat_session_id, s.last_activity_at from public.chat_sessions s
    where s.status = 'active' and s.last_activity_at <= now() - make_interval(secs => idle_seconds)
    limit max_rows
    for update skip locked
  ), candidate as materialized (
    -- Materialized: else the planner asks session_closing about every active session before it looks for ends.
    select s.organization_id, s.user_id, s.librechat_session_id, s.last_activity_at
    from tollgate.login_sessions l
    join public.chat_sessions s on s.organization_id = l.organization_id and s.user_id = l.user_id
    where l.ended_at > now() - interval '10 minutes' and s.status = 'active' and s.last_activity_at <= l.ended_at
    union
    select s.organization_id, s.user_id, s.librechat_session_id, s.last_activity_at
    from tollgate.quota_decisions d
    join public.chat_sessions s on s.organization_id = d.organization_id
    where d.to_state = 'revoked' and d.user_id is null and d.kind = 'change'
      and d.decided_at > now() - interval '10 minutes' and s.status = 'active' and s.last_activity_at <= d.decided_at
  ), ended as materialized (
    -- Judged before the limit: a session that another login keeps open must not take the place of others.
    select s.organization_id, s.user_id, s.librechat_session_id, s.last_activity_at
    from candidate c
    cross join lateral tollgate.session_closing(
      c.organization_id, c.user_id, c.last_activity_at, make_interval(secs => idle_seconds)) x
    join public.chat_sessions s on s.organization_id = c.organization_id and s.user_id = c.user_id
      and s.librechat_session_id = c.librechat_session_id and s.last_activity_at = c.last_activity_at
    where x.at <= now() and s.status = 'active'
    limit max_rows
    for update of s skip locked
  ), held as materialized (
    select * from idle union select * from ended
  ), closed as (
    update public.chat_sessions s set closed_at = x.at, close_reason = x.reason
    from held h
    cross join lateral tollgate.session_closing(
      h.organization_id, h.user_id, h.last_activity_at, make_interval(secs => idle_seconds)) x
    where s.organization_id = h.organization_id and s.user_id = h.user_id
      and s.librechat_session_id = h.librechat_session_id and x.at <= now()
    returning s.close_reason
  )
  select c.close_reason, count(*)::integer from closed c group by c.close_reason
$$;

revoke execute on function public.close_sessions from public, anon, authenticated;
grant execute on function public.close_sessions to tollgate_usage_worker, service_role;

-- schemas/40-functions/commit_reservations.sql
-- Purpose: take usage events that settle holds, on disk, in one transaction with the end of their leases: a hold whose
--   usage was accepted waits for the ledger and is never given back before.
-- Parameters: batch = { "commits": [{ reservation_id, strict, organization_id (of the key; absent: any), event }, …] };
--   event is an AcceptedEvent with reservation_id. strict: refuse what does not fit the hold; else take every event.
-- Returns: a row a commit: i (0-based), outcome (accepted | late: the hold had been given back | repeated: this event was
--   taken before | unknown | mismatch: other organization, user or session | closed: another event settles it), state.
-- Locks: reserved_totals of the organizations, sorted. Invariant: an event is parked in the inbox exactly when it is
--   accepted here, so nothing is committing without its event, and no event is accepted without its lease stopped.
create function public.commit_reservations(batch jsonb) returns table (i integer, outcome text, state text)
language plpgsql volatile security invoker set search_path = '' set jit = off
as $$
#variable_conflict use_column
declare
  commits jsonb := tollgate.unwrap(batch) -> 'commits';
  claimed uuid[];
begin
  perform tollgate.lock_holds(array(
    select distinct (c ->> 'organization_id')::uuid from jsonb_path_query(commits, '$[*].event') c));

  with first as (
    select distinct on (c.reservation_id) c.*
    from tollgate.read_commits(commits) c order by c.reservation_id, c.ordinal
  ), claim as (
    update tollgate.reservations r set
      event_digest = f.digest, state = case r.state when 'held' then 'committing' else r.state end
    from first f
    where r.id = f.reservation_id and r.event_digest is null and r.state in ('held', 'released', 'expired')
      and (r.organization_id, r.user_id, r.session_id) = (f.organization_id, f.user_id, f.session_id)
      and (f.key_organization_id is null or f.key_organization_id = r.organization_id)
    returning r.id
  )
  select array_agg(id) into claimed from claim;

  return query
    with judged as materialized (
      select c.*, r.state as hold_state,
        case
          when r.id is null or r.organization_id <> coalesce(c.key_organization_id, r.organization_id) then 'unknown'
          when (r.organization_id, r.user_id, r.session_id) <> (c.organization_id, c.user_id, c.session_id) then 'mismatch'
          when r.event_digest is distinct from c.digest then 'closed'
          when r.id <> all(coalesce(claimed, '{}')) then 'repeated'
          when r.state in ('released', 'expired') then 'late'
          else 'accepted' end as verdict
      from tollgate.read_commits(commits) c
      left join tollgate.reservations r on r.id = c.reservation_id
    ), parked as (
      insert into tollgate.event_inbox (events)
      select jsonb_agg(j.event order by j.ordinal) from judged j
      where j.verdict in ('accepted', 'late') or (not j.strict and j.verdict <> 'repeated')
      having count(*) > 0
    )
    select j.ordinal - 1, j.verdict, j.hold_state from judged j order by j.ordinal;
end
$$;

revoke execute on function public.commit_reservations from public, anon, authenticated;
grant execute on function public.commit_reservations to tollgate_token_api, service_role;

-- schemas/40-functions/continue_login.sql
-- Purpose: go on with a login session: rotate its refresh token, or (without one) renew for a holder whom the token API
--   itself vouches for, such as the proxy's cookie.
-- Parameters: attempt = { session_id, access_expires_at, refresh?: { hash, next_hash (64 hex digits each), issued_at,
--   expires_at, grace_seconds }, observe? (refuse nobody for an enforcement state) }.
-- Returns: one row: outcome; login (a row of find_login, where the outcome is one of the first three); generation,
--   refresh_issued_at and refresh_expires_at of the refresh token that now holds, ends_at; revoked and deaf_ms as of revoke_logins.
--   continued: rotated or renewed. repeated: the predecessor came once more within the grace: the same successor holds.
--   organization_revoked: nothing was changed, it may be tried again later.
--   reused: an older token came; the session has ended. ended, expired: it is over. unknown: never was.
-- Locks: the gate's shared advisory lock where a session ends, then the session. Invariant: one token has one successor;
--   an end is committed before it is answered.
create function public.continue_login(attempt jsonb)
returns table (
  outcome text, login jsonb, user_id uuid, generation integer, refresh_issued_at timestamptz,
  refresh_expires_at timestamptz, ends_at timestamptz, revoked jsonb,
  deaf_ms integer)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(attempt);
  refresh jsonb := asked -> 'refresh';
  shown bytea := decode(refresh ->> 'hash', 'hex');
  held tollgate.login_sessions;
  fault text;
  is_repeat boolean;
begin
  -- The order of end_logins: the advisory lock comes first.
  perform pg_advisory_xact_lock_shared(hashtext('tollgate.gate'));
  select * into held from tollgate.login_sessions s where s.id = (asked ->> 'session_id')::uuid for update;
  is_repeat := coalesce(held.previous_refresh_hash = shown
    and held.rotated_at > clock_timestamp() - make_interval(secs => (refresh ->> 'grace_seconds')::float), false);
  revoked := '[]';
  user_id := held.user_id;
  if held.id is null then
    outcome := 'unknown';
  elsif held.ended_at is not null then
    outcome := 'ended';
    revoked := tollgate.end_logins(array[held.id], held.end_reason);
  elsif held.ends_at <= now() or (refresh is not null and held.refresh_expires_at <= now()) then
    outcome := 'expired';
  elsif refresh is not null and held.refresh_hash is distinct from shown and not is_repeat then
    outcome := 'reused';
    revoked := tollgate.end_logins(array[held.id], 'refresh_reused');
  else
    fault := tollgate.login_fault(held);
    if fault is not null then
      outcome := 'ended';
      revoked := tollgate.end_logins(array[held.id], fault);
    else
      select to_jsonb(f) into login from public.find_login(held.user_id) f;
      outcome := case when login ->> 'state' = 'revoked' and not coalesce((asked ->> 'observe')::boolean, false)
        then 'organization_revoked'
        when is_repeat then 'repeated' else 'continued' end;
    end if;
  end if;

  if outcome in ('continued', 'repeated') then
    update tollgate.login_sessions s set
      last_used_at = now(),
      role = case when tollgate.role_rank(login ->> 'role') > tollgate.role_rank(s.role) then login ->> 'role'
        else s.role end,
      access_expires_at = greatest(s.access_expires_at, (asked ->> 'access_expires_at')::timestamptz),
      generation = s.generation + case when refresh is null or is_repeat then 0 else 1 end
    where s.id = held.id returning s.* into held;
    if refresh is not null and not is_repeat then
      update tollgate.login_sessions s set
        previous_refresh_hash = s.refresh_hash, refresh_hash = decode(refresh ->> 'next_hash', 'hex'),
        refresh_issued_at = (refresh ->> 'issued_at')::timestamptz,
        refresh_expires_at = (refresh ->> 'expires_at')::timestamptz, rotated_at = clock_timestamp()
      where s.id = held.id returning s.* into held;
    end if;
    update tollgate.login_sessions s set expires_at = greatest(s.expires_at, s.access_expires_at, s.refresh_expires_at)
    where s.id = held.id returning s.* into held;
    if not is_repeat then perform tollgate.announce_logins(array[held], 'login.refreshed'); end if;
  end if;
  generation := held.generation; refresh_issued_at := held.refresh_issued_at;
  refresh_expires_at := held.refresh_expires_at; ends_at := held.ends_at;
  select coalesce(ceil(max(extract(epoch from g.leased_until - clock_timestamp())) * 1000), 0)::integer into deaf_ms
  from tollgate.deaf_gates g where g.leased_until > clock_timestamp();
  return next;
end
$$;

revoke execute on function public.continue_login from public, anon, authenticated;
grant execute on function public.continue_login to tollgate_token_api, service_role;

-- schemas/40-functions/correction_entries.sql
-- Purpose: turn corrections into ledger entries: the reversal of what holds of the original, and its replacement.
-- Parameters: corrections: judged, at most one of each original. Returns: two entries for each that brings a higher
--   revision; their ordinal is the correction's. Reads only.
-- Invariant: both land on the day and period, user, session and model of the original, and are priced as of its time. A
--   reversal is the exact negative of what was stamped; a void (all counts zero) leaves nothing, not even an event.
create function tollgate.correction_entries(corrections tollgate.judged_event[]) returns setof tollgate.judged_event
language sql stable security invoker set search_path = ''
as $$
  with target as materialized (
    select c.ordinal, c.revision, c.received_at, s.original, s as held, c.input_tokens, c.output_tokens,
      c.cache_read_input_tokens, c.cache_creation_input_tokens, c.reasoning_output_tokens, c.total_tokens,
      coalesce(c.message_count, case when c.total_tokens = 0 then 0 else (s.original).message_count end) as message_count,
      coalesce((s.original).original_period_start, (s.original).period_start) as period_start
    from unnest(corrections) c
    join tollgate.usage_event_identities i on i.organization_id = c.organization_id and i.digest = c.digest
    cross join lateral tollgate.standing_entries(i.organization_id, i.digest, i.seen_at) s
    where c.revision > s.revision
  ), common as materialized (
    select t.*, t.total_tokens = 0 and t.message_count = 0 as is_void,
      to_jsonb(t.original) || jsonb_build_object(
        'type', 'usage.corrected', 'ordinal', t.ordinal, 'revision', t.revision, 'received_at', t.received_at,
        'period_start', t.period_start, 'original_period_start', null, 'price_id', null,
        'is_current_period', t.period_start = (
          select c.period_start from tollgate.organization_period((t.original).organization_id) c)) as stamps
    from target t
  )
  select jsonb_populate_record(null::tollgate.judged_event, t.stamps || jsonb_build_object(
    'entry', 'reversal',
    'input_tokens', -(t.held).input_tokens, 'output_tokens', -(t.held).output_tokens,
    'cache_read_input_tokens', -(t.held).cache_read_input_tokens,
    'cache_creation_input_tokens', -(t.held).cache_creation_input_tokens,
    'reasoning_output_tokens', -(t.held).reasoning_output_tokens, 'total_tokens', -(t.held).total_tokens,
    'message_count', -(t.held).message_count, 'event_count', -(t.held).event_count,
    'unpriced_events', -(t.held).unpriced_events, 'cost_usd', -(t.held).cost_usd, 'charge_usd', -(t.held).charge_usd))
  from common t
  union all
  select jsonb_populate_record(null::tollgate.judged_event, t.stamps || jsonb_build_object(
    'entry', 'replacement',
    'input_tokens', t.input_tokens, 'output_tokens', t.output_tokens,
    'cache_read_input_tokens', t.cache_read_input_tokens,
    'cache_creation_input_tokens', t.cache_creation_input_tokens,
    'reasoning_output_tokens', t.reasoning_output_tokens, 'total_tokens', t.total_tokens,
    'message_count', t.message_count, 'event_count', (not t.is_void)::integer,
    'unpriced_events', (not t.is_void and p.price_id is null)::integer, 'price_id', p.price_id,
    'cost_usd', case when t.is_void then 0 else p.cost_usd end,
    'charge_usd', case when t.is_void then 0
      else round(p.cost_usd * (1 + tollgate.markup_percent((t.original).organization_id) / 100), 12) end))
  from common t
  left join lateral tollgate.price_call((t.original).provider, (t.original).model, (t.original).time, t.input_tokens,
    t.output_tokens, t.cache_read_input_tokens, t.cache_creation_input_tokens, t.reasoning_output_tokens) p
    on not t.is_void
$$;

grant execute on function tollgate.correction_entries to tollgate_usage_worker, service_role;

-- schemas/40-functions/cost_usd.sql
-- Purpose: what a call costs. Parameters: prices in US dollars per million LLM tokens (null: of cached input as of input, of
--   reasoning as of output), counts of LLM tokens. Returns: US dollars.
-- Invariant: exact, never rounded: prices have at most six decimals, so a cost has at most twelve.
create function tollgate.cost_usd(
  input_usd_per_mtok numeric, output_usd_per_mtok numeric, cache_read_usd_per_mtok numeric,
  cache_creation_usd_per_mtok numeric, reasoning_usd_per_mtok numeric, input_tokens bigint, output_tokens bigint,
  cache_read_input_tokens bigint, cache_creation_input_tokens bigint, reasoning_output_tokens bigint) returns numeric
language sql immutable parallel safe
return ((input_tokens - cache_read_input_tokens - cache_creation_input_tokens) * input_usd_per_mtok
  + cache_read_input_tokens * coalesce(cache_read_usd_per_mtok, input_usd_per_mtok)
  + cache_creation_input_tokens * coalesce(cache_creation_usd_per_mtok, input_usd_per_mtok)
  + (output_tokens - reasoning_output_tokens) * output_usd_per_mtok
  + reasoning_output_tokens * coalesce(reasoning_usd_per_mtok, output_usd_per_mtok)) * 0.000001;

grant execute on function tollgate.cost_usd to tollgate_usage_worker, service_role;

-- schemas/40-functions/count_open_sessions.sql
-- Purpose: how many chat sessions of an organization are, or were, open at a time. Parameters: query = { organization_id,
--   at? (without it: now, by an index of its own), user_id? (null: of everybody) }.
-- Returns: one row: open. Reads only. Invariant: an end that came before its start, or usage before it, changes nothing.
create function public.count_open_sessions(query jsonb) returns table (open integer)
language sql stable security invoker set search_path = ''
as $$
  with asked as materialized (
    select q.* from jsonb_to_record(tollgate.unwrap(query)) as q (organization_id uuid, at timestamptz, user_id uuid)
  )
  select case when a.at is null then (
      select count(*)::integer from public.chat_sessions s
      where s.organization_id = a.organization_id and s.status = 'active' and (a.user_id is null or s.user_id = a.user_id))
    else (
      select count(*)::integer from public.chat_sessions s
      where s.organization_id = a.organization_id and s.started_at <= a.at and coalesce(s.ended_at, 'infinity') > a.at
        and (a.user_id is null or s.user_id = a.user_id)) end
  from asked a
$$;

revoke execute on function public.count_open_sessions from public, anon, authenticated;
grant execute on function public.count_open_sessions to tollgate_token_api, service_role;

-- schemas/40-functions/count_slices.sql
-- Purpose: about how many slices reconcile_books will go through, for a progress bar. Parameters: only_organization (null:
--   all), since (null: any day). Returns: one row: slices. Reads only.
-- Invariant: taken from the rollups, which are small; a day that only the ledger knows is not counted here, but compared.
create function public.count_slices(only_organization uuid default null, since date default null)
returns table (slices integer)
language sql stable security invoker set search_path = ''
as $$
  select ((select count(*) from (
      select distinct m.organization_id, m.date from public.usage_metrics m
      where (only_organization is null or m.organization_id = only_organization) and (since is null or m.date >= since)) d)
    + (select count(*) from (
      select distinct m.organization_id, date_trunc('month', m.date::timestamp) from public.usage_metrics m
      where (only_organization is null or m.organization_id = only_organization)
        and (since is null or m.date >= since and since < (now() at time zone 'UTC')::date - 2)) d)
    + (select count(*) from (
      select distinct s.organization_id, (s.started_at at time zone 'UTC')::date from public.chat_sessions s
      where (only_organization is null or s.organization_id = only_organization)
        and (since is null or s.started_at >= since::timestamp at time zone 'UTC')) d)
    + (select count(*) from tollgate.period_totals t
      where (only_organization is null or t.organization_id = only_organization)
        and (since is null or t.period_start >= since - 70)))::integer
$$;

revoke execute on function public.count_slices from public, anon, authenticated;
grant execute on function public.count_slices to service_role;

-- schemas/40-functions/create_grant.sql
-- Purpose: give an organization LLM tokens on top of its monthly limit.
-- Parameters: grant_order = { organization_id, amount, priority?, expires_at? (absent: never), reason, idempotency_key, actor,
--   at? (default: the database's present) }.
-- Returns: no row for an unknown organization, else one: refusal (over: it would have expired already; null: none), created
--   (false: this idempotency key was used before), matches (false: it was used for another amount, priority or expiry), and the
--   grant as list_grants shows it.
-- Locks: none. Invariant: an idempotency key gives once. The change wakes the enforcer by itself, because inputs_key no longer
--   agrees.
create function public.create_grant(grant_order jsonb)
returns table (
  refusal text, created boolean, matches boolean, id uuid, organization_id uuid, amount_tokens text, left_tokens text,
  priority integer, expires_at timestamptz, reason text, actor text, created_at timestamptz, closed_at timestamptz,
  voided_at timestamptz, voided_by text, void_reason text)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
  given tollgate.grants;
begin
  select g.*, coalesce(g.at, now()) as granted_at into asked from jsonb_to_record(tollgate.unwrap(grant_order)) as g (
    organization_id uuid, amount bigint, priority integer, expires_at timestamptz, reason text, idempotency_key text, actor text,
    at timestamptz);
  if not exists (select from tollgate.directory_organizations o where o.organization_id = asked.organization_id) then return; end if;
  -- Not of one that is on record: it was in time, and its repetition may be late.
  if asked.expires_at <= asked.granted_at and not exists (select from tollgate.grants g
    where g.organization_id = asked.organization_id and g.idempotency_key = asked.idempotency_key) then
    refusal := 'over';
    return next;
    return;
  end if;
  insert into tollgate.grants as g (
    organization_id, amount_tokens, priority, expires_at, reason, idempotency_key, actor, created_at, settled_until)
  values (asked.organization_id, asked.amount, coalesce(asked.priority, 100), asked.expires_at, asked.reason,
    asked.idempotency_key, asked.actor, asked.granted_at,
    (select p.period_start from tollgate.organization_period(asked.organization_id, asked.granted_at) p))
  on conflict (organization_id, idempotency_key) do nothing
  returning g.* into given;
  created := given.id is not null;
  if created then
    perform tollgate.record_audit(asked.actor, 'grant.created', 'organization:' || asked.organization_id, jsonb_build_object(
      'grant_id', given.id, 'amount', given.amount_tokens, 'priority', given.priority, 'expires_at', given.expires_at,
      'reason', given.reason));
    perform tollgate.notify(given.organization_id, 'quota.granted', 'quota.granted:' || given.id, jsonb_build_object(
      'grant_id', given.id, 'amount_tokens', given.amount_tokens::text, 'expires_at', given.expires_at, 'reason', given.reason,
      'actor', given.actor), given.created_at);
  else
    select g.* into given from tollgate.grants g
    where g.organization_id = asked.organization_id and g.idempotency_key = asked.idempotency_key;
  end if;
  matches := given.amount_tokens = asked.amount and given.priority = coalesce(asked.priority, 100)
    and given.expires_at is not distinct from asked.expires_at;
  if given.closed_at is null then
    select (u.size - u.spent)::text into left_tokens from tollgate.quota_inputs_at(asked.granted_at) i
    left join tollgate.period_totals t on t.organization_id = i.organization_id and t.period_start = i.period_start
    cross join lateral tollgate.spread_usage(i.organization_id, i.period_start, i.period_end, i.base_limit_tokens,
      coalesce(t.used_tokens, 0)) u
    where i.organization_id = given.organization_id and u.grant_id = given.id;
  end if;
  id := given.id; organization_id := given.organization_id; amount_tokens := given.amount_tokens::text;
  priority := given.priority; expires_at := given.expires_at; reason := given.reason; actor := given.actor;
  created_at := given.created_at; closed_at := given.closed_at; voided_at := given.voided_at; voided_by := given.voided_by;
  void_reason := given.void_reason;
  return next;
end
$$;

-- Purpose: the grants of an organization that are open or ended of late, with what they have left.
-- Parameters: for_organization, at (default: the database's present). Returns: a row a grant, newest first, 500 at most;
--   left_tokens is null for one that is closed. Reads only.
create function public.list_grants(for_organization uuid, at timestamptz default now())
returns table (
  id uuid, amount_tokens text, left_tokens text, priority integer, expires_at timestamptz, reason text, actor text,
  created_at timestamptz, closed_at timestamptz, voided_at timestamptz, voided_by text, void_reason text)
language sql stable security invoker set search_path = ''
as $$
  select g.id, g.amount_tokens::text, (u.size - u.spent)::text, g.priority, g.expires_at, g.reason, g.actor,
    g.created_at, g.closed_at, g.voided_at, g.voided_by, g.void_reason
  from tollgate.quota_inputs_at(at) i
  left join tollgate.period_totals t on t.organization_id = i.organization_id and t.period_start = i.period_start
  join tollgate.grants g on g.organization_id = i.organization_id
  left join lateral tollgate.spread_usage(i.organization_id, i.period_start, i.period_end, i.base_limit_tokens,
    coalesce(t.used_tokens, 0)) u on u.grant_id = g.id
  where i.organization_id = for_organization
  order by g.created_at desc, g.id
  limit 500
$$;

revoke execute on function public.create_grant, public.list_grants from public, anon, authenticated;
grant execute on function public.create_grant, public.list_grants to tollgate_token_api, service_role;

-- schemas/40-functions/create_service_key.sql
-- Purpose: put a new key on record, by its hash. Parameters: change = { id, name, key_prefix, key_sha256 (64 hex digits),
--   scopes, organization_id (null: the operator's), expires_at (null: never), actor }.
-- Returns: no row for an unknown organization, else one: the key as list_service_keys shows it.
-- Invariant: repeated with the same id and hash it changes nothing. Locks: none.
create function public.create_service_key(change jsonb) returns setof tollgate.service_key_view
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
begin
  select * into asked from jsonb_to_record(tollgate.unwrap(change)) as c (id uuid, name text, key_prefix text,
    key_sha256 text, scopes text[], organization_id uuid, expires_at timestamptz, actor text);
  if asked.organization_id is not null and not exists (
    select from tollgate.directory_organizations o where o.organization_id = asked.organization_id) then return; end if;
  insert into tollgate.service_keys as k
    (id, name, key_prefix, key_hash, scopes, organization_id, expires_at, created_by)
  values (asked.id, asked.name, asked.key_prefix, decode(asked.key_sha256, 'hex'), asked.scopes, asked.organization_id,
    asked.expires_at, asked.actor)
  on conflict (id) do nothing;
  if found then
    perform tollgate.record_audit(asked.actor, 'key.created', 'key:' || asked.id, jsonb_build_object('name', asked.name,
      'prefix', asked.key_prefix, 'scopes', asked.scopes, 'expires_at', asked.expires_at), asked.organization_id);
  end if;
  return query select v.* from tollgate.service_key_view v where v.id = asked.id;
end
$$;

revoke execute on function public.create_service_key from public, anon, authenticated;
grant execute on function public.create_service_key to tollgate_token_api, service_role;

-- schemas/40-functions/deliver_webhooks.sql
-- Purpose: take due deliveries to be sent. Parameters: claim = { max_rows, lease_ms, busy? (endpoints to which the caller is still
--   sending: of those none is taken) }.
-- Returns: a row a delivery with where to send it and the secrets, sealed, to sign it with; previous_sealed_secret null outside
--   an overlap.
-- Locks: the deliveries, skipping those that another enforcer takes. Invariant: until the lease is over nobody else gets
--   them; a sender that dies leaves them to be taken again. At most four of an endpoint, so that a slow one holds up none.
create function public.claim_webhooks(claim jsonb)
returns table (
  id uuid, endpoint_id uuid, attempt integer, url text, sealed_secret text, previous_sealed_secret text, payload text)
language sql volatile security invoker set search_path = ''
as $$
  with asked as (
    select * from jsonb_to_record(tollgate.unwrap(claim)) as c (max_rows integer, lease_ms integer, busy uuid[])
  ), due as materialized (
    select d.id
    from asked a
    join tollgate.webhook_endpoints e on e.disabled_at is null and e.id <> all(coalesce(a.busy, '{}'))
    cross join lateral (
      select p.id, p.due_at from tollgate.webhook_deliveries p
      where p.endpoint_id = e.id and p.state = 'pending' and p.due_at <= now()
      order by p.due_at, p.id limit 4
      for update skip locked) d
    order by d.due_at, d.id
    limit (select max_rows from asked)
  )
  update tollgate.webhook_deliveries d
  set attempts = d.attempts + 1, due_at = now() + make_interval(secs => a.lease_ms / 1000.0)
  from due, asked a, tollgate.webhook_endpoints e
  where d.id = due.id and e.id = d.endpoint_id
  returning d.id, d.endpoint_id, d.attempts, e.url, e.sealed_secret,
    case when e.previous_until > now() then e.previous_sealed_secret end, d.payload::text
$$;

-- Purpose: write down how an attempt ended. Parameters: result = { id, attempt, delivered, status (null: no answer), error
--   (null: none), retry_in_ms (null: give up) }. Returns: one row: recorded (false: somebody else has the delivery by now).
-- Locks: the delivery. Invariant: what was delivered once stays delivered until it is replayed.
create function public.finish_webhook(result jsonb) returns table (recorded boolean)
language sql volatile security invoker set search_path = ''
as $$
  with asked as (
    select * from jsonb_to_record(tollgate.unwrap(result)) as r (
      id uuid, attempt integer, delivered boolean, status integer, error text, retry_in_ms bigint)
  ), done as (
    update tollgate.webhook_deliveries d set
      state = case when a.delivered then 'delivered' when a.retry_in_ms is null then 'dead' else 'pending' end,
      due_at = now() + make_interval(secs => coalesce(a.retry_in_ms, 0) / 1000.0),
      last_status = a.status, last_error = a.error, delivered_at = case when a.delivered then now() end,
      log = case when jsonb_array_length(d.log) < 50 then d.log else d.log - 0 end
        || jsonb_build_object('at', now(), 'status', a.status, 'error', a.error)
    from asked a
    where d.id = a.id and d.state = 'pending' and (a.delivered or d.attempts = a.attempt)
    returning d.id
  )
  select exists (select from done)
$$;

-- Purpose: how far deliveries are behind. Parameters: none. Returns: one row: pending, oldest_seconds (of the oldest that is
--   not delivered), overdue_seconds (how long one has been due without being tried). What was told to an endpoint in the moment
--   in which it was removed is sent by nobody, and does not count.
create function public.webhook_backlog()
returns table (pending integer, oldest_seconds double precision, overdue_seconds double precision)
language sql stable security invoker set search_path = ''
as $$
  select count(*)::integer, coalesce(extract(epoch from now() - min(d.created_at)), 0)::double precision,
    greatest(coalesce(extract(epoch from now() - min(d.due_at)), 0), 0)::double precision
  from tollgate.webhook_endpoints e join tollgate.webhook_deliveries d on d.endpoint_id = e.id and d.state = 'pending'
  where e.disabled_at is null
$$;

-- Purpose: forget what was delivered or given up 90 days ago; a period, and with it each key, is shorter.
-- Parameters: max_rows. Returns: one row: pruned.
create function public.prune_webhooks(max_rows integer) returns table (pruned integer)
language sql volatile security invoker set search_path = ''
as $$
  with gone as (
    delete from tollgate.webhook_deliveries d
    where d.id in (select o.id from tollgate.webhook_deliveries o
      where o.state <> 'pending' and o.created_at < now() - interval '90 days'
      order by o.created_at limit max_rows)
    returning d.id
  )
  select count(*)::integer from gone
$$;

revoke execute on function public.claim_webhooks, public.finish_webhook, public.webhook_backlog, public.prune_webhooks
  from public, anon, authenticated;
grant execute on function public.claim_webhooks, public.finish_webhook, public.webhook_backlog, public.prune_webhooks
  to tollgate_quota_enforcer, service_role;

-- schemas/40-functions/drain_inbox.sql
-- Purpose: record what was accepted while Redis was away. Parameters: max_rows = most inbox rows of one call.
-- Returns: one row: drained (inbox rows taken), recorded and duplicates (events), totals, unpriced, after_revocation and
--   holds as of ingest_usage, rejected:
--   jsonb array of { reason, event }; buried: events set aside as dead letters, corrections of sealed months among them.
-- Locks: inbox rows (skip locked, so that workers share the work), then those of ingest_usage.
-- Invariant: recording and removing from the inbox are one transaction. Where one row alone was taken and the database
--   refuses its content (SQLSTATE class 22 or 23), that very row is buried; any other failure is the caller's to repeat.
create function public.drain_inbox(max_rows integer)
returns table (
  drained integer, recorded integer, duplicates integer, totals jsonb, unpriced integer, after_revocation integer,
  rejected jsonb, holds jsonb, buried integer)
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  ids bigint[];
  events jsonb;
  result record;
begin
  select array_agg(i.id), count(*) into ids, drained from (
    select id from tollgate.event_inbox order by id limit max_rows for update skip locked) i;
  recorded := 0; duplicates := 0; totals := '[]'; unpriced := 0; after_revocation := 0; rejected := '[]'; buried := 0;
  holds := '{"settled": 0, "late": 0, "excess_tokens": 0}';
  if drained > 0 then
    select jsonb_agg(e.event) into events
    from tollgate.event_inbox i cross join lateral jsonb_array_elements(i.events) e(event) where i.id = any(ids);
    begin
      select * into result from public.ingest_usage(jsonb_build_object('events', events));
    exception when others then
      if drained > 1 or left(sqlstate, 2) not in ('22', '23') then
        raise;
      end if;
      buried := tollgate.bury_inbox_row(ids[1], sqlerrm);
      return next;
      return;
    end;
    delete from tollgate.event_inbox where id = any(ids);
    recorded := jsonb_array_length(events) - jsonb_array_length(result.outcomes);
    duplicates := (select count(*) from jsonb_array_elements(result.outcomes) o where o ->> 'outcome' = 'duplicate');
    totals := result.totals;
    unpriced := result.unpriced;
    after_revocation := result.after_revocation;
    holds := result.holds;
    rejected := coalesce((
      select jsonb_agg(jsonb_build_object('reason', o -> 'reason', 'event', events -> (o ->> 'i')::int))
      from jsonb_array_elements(result.outcomes) o where o ->> 'outcome' = 'rejected'), '[]');
    insert into tollgate.dead_letters (queue, reason, payload)
    select 'event-inbox', r ->> 'reason', (r -> 'event')::text
    from jsonb_array_elements(rejected) r where r ->> 'reason' = 'month_sealed';
    get diagnostics buried = row_count;
  end if;
  return next;
end
$$;

revoke execute on function public.drain_inbox from public, anon, authenticated;
grant execute on function public.drain_inbox to tollgate_usage_worker, service_role;

-- schemas/40-functions/drop_dead_letters.sql
-- Purpose: forget dead letters that nobody wants. Parameters: selection (see select_dead_letters).
-- Returns: one row: dropped. Locks: their rows. Invariant: an operator's act alone; no service may call it.
create function public.drop_dead_letters(selection jsonb) returns table (dropped integer)
language sql volatile security invoker set search_path = ''
as $$
  with gone as (
    delete from tollgate.dead_letters d
    where d.id in (select tollgate.select_dead_letters(tollgate.unwrap(selection)))
    returning d.id
  )
  select g.gone::integer
  from (select count(*) as gone from gone) g
  cross join lateral tollgate.record_audit(
    'cli', 'dead_letters.dropped', 'dead_letters:selection', jsonb_build_object('selection', selection, 'letters', g.gone))
$$;

revoke execute on function public.drop_dead_letters from public, anon, authenticated;
grant execute on function public.drop_dead_letters to service_role;

-- schemas/40-functions/due_holds.sql
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

-- schemas/40-functions/end_lapsed.sql
-- Purpose: put on record that what a decision took away was over with its period, where somebody is stopped again before
--   anybody had decided in the new one: between the two they had access. Parameters: organization, member (null: the
--   organization itself), from_state and held_version (as they stood), over_at (the period's end), and of the decision that follows
--   decided_at, actor, inputs, told_under.
-- Returns: the version after it. Called by whoever puts the decision into force, with the state locked.
create function tollgate.end_lapsed(
  organization uuid, member uuid, from_state text, held_version bigint, over_at timestamptz, decided_at timestamptz, actor text,
  inputs jsonb, told_under text) returns bigint
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  made tollgate.quota_decisions;
begin
  insert into tollgate.quota_decisions (
    organization_id, user_id, decided_at, effective_at, from_state, to_state, version, reason, actor, inputs)
  values (organization, member, decided_at, over_at, from_state, 'active', held_version + 1, 'period_over', actor, inputs)
  returning * into made;
  perform tollgate.notify_decision(made, told_under);
  return made.version;
end
$$;

grant execute on function tollgate.end_lapsed to tollgate_quota_enforcer, service_role;

-- schemas/40-functions/end_logins.sql
-- Purpose: end login sessions: on record, announced, and refused by every gate that reads after the commit.
-- Parameters: ids, reason. Returns: what gates must refuse: jsonb array of { kind, id, expires_at }.
-- Locks: the gate's shared advisory lock (a deaf gate registers under the exclusive one: either it is seen here, or it
--   reads what is written here), then the sessions in the order of their ids.
-- Invariant: a session that has ended stays as it is, but is returned as long as one of its access tokens could live, so
--   that a repeated call tells the gates again.
create function tollgate.end_logins(ids uuid[], reason text) returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  ended tollgate.login_sessions[];
begin
  perform pg_advisory_xact_lock_shared(hashtext('tollgate.gate'));
  perform from tollgate.login_sessions s where s.id = any(ids) order by s.id for update;
  with updated as (
    update tollgate.login_sessions s set ended_at = now(), end_reason = end_logins.reason
    where s.id = any(ids) and s.ended_at is null
    returning s as session
  )
  select array_agg(u.session) into ended from updated u;
  perform tollgate.announce_logins(ended, 'login.ended');
  -- Ten minutes more than the token, by our clock: an instance whose clock is behind takes it for longer, one whose clock is
  -- ahead forgets the revocation earlier. Beyond that its events would be refused as well.
  insert into tollgate.token_revocations as r (kind, id, expires_at)
  select 'sid', s.id, greatest(s.access_expires_at, now()) + interval '10 minutes'
  from tollgate.login_sessions s where s.id = any(ids) and s.access_expires_at > now() - interval '10 minutes'
  order by s.id
  on conflict (kind, id) do update set expires_at = greatest(r.expires_at, excluded.expires_at)
    where excluded.expires_at > r.expires_at;
  return coalesce((
    select jsonb_agg(jsonb_build_object('kind', r.kind, 'id', r.id, 'expires_at', extract(epoch from r.expires_at)::bigint))
    from tollgate.token_revocations r where r.kind = 'sid' and r.id = any(ids)), '[]');
end
$$;

grant execute on function tollgate.end_logins to tollgate_token_api, service_role;

-- schemas/40-functions/enroll_users.sql
-- Purpose: give users on whom an organization's default falls a row of their own, which is due: who has used something in the
--   period, and where it is 0 every member. Parameters: for_organization, at (default: the database's present), max_rows (how many
--   users are looked at). Returns: one row: done (all are enrolled), more (call again at once; false where not done: later,
--   once those have committed who were recording usage when this began).
-- Locks: the default's row, then new rows of user_quotas, by user. Ingestion is waited for and never held up.
-- Invariant: repeating changes nothing. Whoever began to record usage after the default was committed enrolls its users by
--   itself; whoever began before has committed by the time the first page is read.
create function public.enroll_users(for_organization uuid, at timestamptz default now(), max_rows integer default 1000)
returns table (done boolean, more boolean)
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  held tollgate.user_quota_defaults;
  first_day date;
  page uuid[];
begin
  select f.* into held from tollgate.user_quota_defaults f where f.organization_id = for_organization for update;
  done := not coalesce(tollgate.must_enroll(held), false);
  more := false;
  if done then return next; return; end if;
  if held.waits_for is distinct from '{}' then
    held.waits_for := tollgate.still_recording(held.waits_for);
    update tollgate.user_quota_defaults f set waits_for = held.waits_for where f.organization_id = for_organization;
    if held.waits_for <> '{}' then return next; return; end if;
  end if;

  select (p.period_start at time zone p.time_zone)::date into first_day from tollgate.organization_period(for_organization, at) p;
  if held.is_enrolled then -- but for members who have joined, where the default is 0
    page := array(
      select m.user_id from tollgate.directory_members m
      where m.organization_id = for_organization and ( -- no join: see must_enroll
        select q.user_id from tollgate.user_quotas q where q.organization_id = m.organization_id and q.user_id = m.user_id) is null
      order by m.user_id limit max_rows);
  else
    page := array(
      select n.user_id from (
        (select distinct r.user_id from public.usage_metrics r
          where r.organization_id = for_organization and r.date >= first_day
            and (held.enrolled_upto is null or r.user_id > held.enrolled_upto)
          order by r.user_id limit max_rows)
        union
        (select m.user_id from tollgate.directory_members m
          where held.max_tokens = 0 and m.organization_id = for_organization
            and (held.enrolled_upto is null or m.user_id > held.enrolled_upto)
          order by m.user_id limit max_rows)) n
      order by n.user_id limit max_rows);
  end if;
  done := cardinality(page) < max_rows;
  more := not done;
  insert into tollgate.user_quotas (organization_id, user_id, is_own, version, updated_by)
  select for_organization, p.user_id, false, 0, 'quota-enforcer' from unnest(page) p (user_id) order by p.user_id
  on conflict do nothing;
  if not held.is_enrolled then
    update tollgate.user_quota_defaults f
    set is_enrolled = done, enrolled_upto = case when not done then page[max_rows] end
    where f.organization_id = for_organization;
  end if;
  return next;
end
$$;

revoke execute on function public.enroll_users from public, anon, authenticated;
grant execute on function public.enroll_users to tollgate_quota_enforcer, service_role;

-- schemas/40-functions/ensure_usage_partitions.sql
-- Purpose: create the ledger's monthly partitions ahead, from two months back to two months on, and those of months whose
--   entries had to go to the default partition meanwhile (a missing month, an import); their entries are moved.
-- Parameters: none. Returns: one row: created (partitions), moved (entries, as text).
-- Security definer: a service may add partitions, but not own tables.
-- Locks: a share of the books; only while there is something to create, the whole of them (whoever reads the ledger and then
--   writes to it has a share), the ledger against writers (they wait and then see the new partition, where a mere attach would refuse an insert under
--   way), then the default partition.
-- Invariant: repeatable; months are UTC; no entry is lost or in two partitions.
create function public.ensure_usage_partitions() returns table (created integer, moved text)
language plpgsql volatile security definer set search_path = '' set timezone = 'UTC' set lock_timeout = '5s'
as $$
declare
  month timestamptz;
  partition text;
  moved_here bigint;
  moved_entries bigint := 0;
begin
  created := 0;
  perform pg_advisory_xact_lock(hashtext('tollgate.ensure_usage_partitions'));
  perform pg_advisory_xact_lock_shared(hashtext('tollgate.books')); -- sealing takes the default partition last
  for month in
    select generate_series(
      date_trunc('month', now()) - interval '2 months', date_trunc('month', now()) + interval '2 months', interval '1 month')
    union
    select date_trunc('month', d.time) from tollgate.usage_events_default d
    order by 1
  loop
    partition := 'usage_events_' || to_char(month, 'YYYYMM');
    continue when to_regclass('tollgate.' || partition) is not null;
    if created = 0 then
      perform pg_advisory_xact_lock(hashtext('tollgate.books'));
      lock table only tollgate.usage_events in share row exclusive mode;
      lock table tollgate.usage_events_default in access exclusive mode;
    end if;
    execute format('create table tollgate.%I (like tollgate.usage_events including all)', partition);
    execute format('alter table tollgate.%I enable row level security', partition);
    execute format('with taken as (
        delete from tollgate.usage_events_default where time >= %L and time < %L returning *)
      insert into tollgate.%I select * from taken', month, month + interval '1 month', partition);
    get diagnostics moved_here = row_count;
    execute format('alter table tollgate.usage_events attach partition tollgate.%I for values from (%L) to (%L)',
      partition, month, month + interval '1 month');
    created := created + 1;
    moved_entries := moved_entries + moved_here;
  end loop;
  moved := moved_entries::text;
  return next;
end
$$;

revoke execute on function public.ensure_usage_partitions from public, anon, authenticated;
grant execute on function public.ensure_usage_partitions to tollgate_usage_worker, service_role;

-- schemas/40-functions/erase_user.sql
-- Purpose: take a person out of the books and keep every figure: a new random id in place of the user's, made-up session and
--   event ids, no metadata. Parameters: request = { user_id, actor }.
-- Returns: one row: pseudonym (null when there was nothing), entries, days, sessions, logins (rows changed).
-- Locks: the books against reconcile, the periods against ingestion under way; then the user's rows in the order of
--   ingest_usage.
-- Invariant: no total changes, since only keys do, in ledger, rollups and closing figures alike. Nobody can tell afterwards
--   who the pseudonym was; an event that is sent again is still a duplicate.
create function public.erase_user(request jsonb)
returns table (pseudonym uuid, entries integer, days integer, sessions integer, logins integer)
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  person uuid := (tollgate.unwrap(request) ->> 'user_id')::uuid;
  new_id uuid := gen_random_uuid();
begin
  perform pg_advisory_xact_lock(hashtext('tollgate.books'));
  perform pg_advisory_xact_lock(hashtext('tollgate.periods'));
  perform from tollgate.usage_event_identities i
  where (i.organization_id, i.digest) in (
    select e.organization_id, e.digest from tollgate.usage_events e where e.user_id = person)
  order by i.organization_id, i.digest for update;
  perform tollgate.rename_opening_balances(person);
  update tollgate.usage_event_identities i set counts_digest = i.digest
  where (i.organization_id, i.digest) in (
    select e.organization_id, e.digest from tollgate.usage_events e where e.user_id = person);
  update tollgate.usage_events e set user_id = new_id, message_id = null, source = 'erased',
    event_id = encode(e.digest, 'hex'), session_id = tollgate.erased_session(new_id, e.session_id)
  where e.user_id = person;
  get diagnostics entries = row_count;
  perform from tollgate.usage_by_month f where f.user_id = person order by f.organization_id, f.month for update;
  update tollgate.usage_by_month f set user_id = new_id where f.user_id = person;
  perform from public.usage_metrics m where m.user_id = person order by m.organization_id, m.date for update;
  update public.usage_metrics m set user_id = new_id where m.user_id = person;
  get diagnostics days = row_count;
  update tollgate.preexisting_usage p set user_id = new_id where p.user_id = person;
  perform from tollgate.usage_by_model m where m.user_id = person order by m.organization_id, m.date, m.model for update;
  update tollgate.usage_by_model m set user_id = new_id where m.user_id = person;
  perform from public.chat_sessions s where s.user_id = person
  order by s.organization_id, s.librechat_session_id for update;
  update public.chat_sessions s set user_id = new_id,
    librechat_session_id = tollgate.erased_session(new_id, s.librechat_session_id), metadata_at = null,
    session_metadata = jsonb_build_object('messages', s.message_count, 'tokens', s.total_tokens)
  where s.user_id = person;
  get diagnostics sessions = row_count;
  update tollgate.login_sessions l set user_id = new_id, user_agent = null, supabase_session_id = null, refresh_hash = null,
    previous_refresh_hash = null, ended_at = coalesce(l.ended_at, now()), end_reason = coalesce(l.end_reason, 'erased')
  where l.user_id = person;
  get diagnostics logins = row_count;
  update tollgate.proxy_sessions x set user_id = new_id, ended_at = coalesce(x.ended_at, now()),
    end_reason = coalesce(x.end_reason, 'erased')
  where x.user_id = person;
  update tollgate.reservations r set user_id = new_id, session_id = tollgate.erased_session(new_id, r.session_id),
    idempotency_key = null
  where r.user_id = person;
  update tollgate.user_quotas q set user_id = new_id where q.user_id = person;
  update tollgate.user_enforcement_states t set user_id = new_id where t.user_id = person;
  update tollgate.user_enforcement_overrides v set user_id = new_id where v.user_id = person;
  update tollgate.quota_decisions d set user_id = new_id where d.user_id = person;
  update tollgate.webhook_deliveries w set notification_key = replace(w.notification_key, person::text, new_id::text),
    payload = jsonb_set(w.payload, '{data,user_id}', to_jsonb(new_id))
  where w.payload #>> '{data,user_id}' = person::text;
  update tollgate.sealed_days d set user_id = new_id where d.user_id = person;
  update tollgate.sealed_postings p set user_id = new_id where p.user_id = person;
  update tollgate.sealed_sessions s set user_id = new_id,
    librechat_session_id = tollgate.erased_session(new_id, s.librechat_session_id)
  where s.user_id = person;
  -- What is still to be counted counts for the pseudonym; its own source and id stay, so that a repeat is a duplicate.
  update tollgate.event_inbox x set events = (
    select jsonb_agg(case when e.event ->> 'user_id' is distinct from person::text then e.event
      else (e.event - 'message_id') || jsonb_strip_nulls(jsonb_build_object('user_id', new_id,
        'session_id', tollgate.erased_session(new_id, e.event ->> 'session_id'))) end order by e.position)
    from jsonb_array_elements(x.events) with ordinality e (event, position))
  where strpos(x.events::text, person::text) > 0;
  update tollgate.dead_letters d set payload = replace(d.payload, person::text, new_id::text)
  where strpos(d.payload, person::text) > 0;
  if entries + days + sessions + logins > 0 then
    pseudonym := new_id;
    perform tollgate.record_audit(tollgate.unwrap(request) ->> 'actor', 'user.erased', 'user:' || new_id,
      jsonb_build_object('entries', entries, 'sessions', sessions));
  end if;
  return next;
end
$$;

-- Purpose: give a person's opening balances identities that follow from nothing: theirs are made of user and day, so that
--   whoever knows both could find them again. Parameters: person (user id, not erased yet). Returns: nothing.
-- Locks: these identities; the caller holds the books, without which nobody else touches them.
-- Invariant: one identity a balance, also of those whose ledger was sealed. None is posted twice: its note is gone.
create function tollgate.rename_opening_balances(person uuid) returns void
language sql volatile security invoker set search_path = ''
as $$
  with day as materialized (
    select m.organization_id, uuid_send(gen_random_uuid()) as random,
      tollgate.identity_digest('tollgate', 'opening-balance:' || m.user_id || ':' || m.date) as digest
    from public.usage_metrics m where m.user_id = person
  ), identity as (
    update tollgate.usage_event_identities i set digest = d.random, counts_digest = d.random
    from day d where i.organization_id = d.organization_id and i.digest = d.digest
  )
  update tollgate.usage_events e set digest = d.random
  from day d where e.organization_id = d.organization_id and e.digest = d.digest and e.entry = 'opening_balance'
$$;

-- Purpose: a made-up session id that stays the same for the same session. Parameters: salt (the pseudonym), session.
-- Returns: text. Invariant: without the erased session id nobody finds back to it: it is hashed with a random salt.
create function tollgate.erased_session(salt uuid, session text) returns text
language sql immutable parallel safe
return 'erased-' || left(encode(sha256(convert_to(salt::text || session, 'UTF8')), 'hex'), 32);

revoke execute on function public.erase_user from public, anon, authenticated;
grant execute on function public.erase_user, tollgate.rename_opening_balances, tollgate.erased_session to service_role;

-- schemas/40-functions/expire_holds.sql
-- Purpose: give back the holds of some organizations whose lease has run out. Parameters: organizations, whose holds the
--   caller has locked; max_rows; anew (true: also those that had run out when their organization's were given back last).
-- Returns: how many were given back.
-- Locks: none of its own beside the rows that it changes. Invariant: a hold is given back once: whoever ends one has the lock.
--   What had run out by `expired_upto` is not looked for each time: the index keeps entries of what has ended until it is
--   vacuumed, and in a busy hour those are many. Only a clock that is set back leaves a hold behind it, for expire_reservations.
create function tollgate.expire_holds(organizations uuid[], max_rows integer, anew boolean default false) returns integer
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  due uuid[] := array(
    select d.id
    from tollgate.reserved_totals t
    cross join lateral tollgate.due_holds(t.organization_id, case when anew then '-infinity' else t.expired_upto end, max_rows) d
    where t.organization_id = any(organizations)
    limit max_rows);
begin
  if cardinality(due) = 0 then return 0; end if;
  with gone as (
    -- By id alone: with the state in the condition all open holds would be looked through.
    update tollgate.reservations r set state = 'expired', ended_at = now() where r.id = any(due)
    returning r.organization_id, r.total_tokens
  )
  update tollgate.reserved_totals t
  set reserved_tokens = t.reserved_tokens - g.total_tokens, updated_at = now(),
    expired_upto = case when cardinality(due) < max_rows then greatest(t.expired_upto, now()) else t.expired_upto end
  from (select organization_id, sum(total_tokens) as total_tokens from gone group by organization_id) g
  where t.organization_id = g.organization_id;
  return cardinality(due);
end
$$;

grant execute on function tollgate.expire_holds to tollgate_token_api, tollgate_quota_enforcer, service_role;

-- schemas/40-functions/expire_reservations.sql
-- Purpose: give back holds whose lease has run out, of organizations that ask for none meanwhile. Parameters: max_rows.
-- Returns: one row: expired (holds), organizations (their ids). Locks: reserved_totals of the organizations, sorted.
-- Invariant: a hold is given back once, however many call this.
create function public.expire_reservations(max_rows integer) returns table (expired integer, organizations uuid[])
language plpgsql volatile security invoker set search_path = '' set jit = off
as $$
begin
  organizations := array(
    select t.organization_id from tollgate.reserved_totals t
    where t.reserved_tokens > 0 and exists (
      select from tollgate.reservations r
      where r.organization_id = t.organization_id and r.state in ('held', 'committing')
        and r.expires_at <= now() and tollgate.is_due_hold(r.state, r.expires_at))
    order by t.organization_id limit 100);
  perform tollgate.lock_holds(organizations);
  expired := tollgate.expire_holds(organizations, max_rows, true);
  return next;
end
$$;

revoke execute on function public.expire_reservations from public, anon, authenticated;
grant execute on function public.expire_reservations to tollgate_quota_enforcer, service_role;

-- schemas/40-functions/export_ledger.sql
-- Purpose: read the ledger page by page, for an export. Parameters: page = { from, to (days, both included),
--   after? (the last row's cursor), max_rows }.
-- Returns: rows by organization, day, digest and entry: the entry as jsonb (bigint and numeric as text) and its cursor.
--   Reads only.
-- Invariant: one page is one organization's day at most, so that a page is a range of an index, sorted.
create function public.export_ledger(page jsonb) returns table (line jsonb, here jsonb)
language plpgsql stable security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
begin
  select p.* into asked from jsonb_to_record(tollgate.unwrap(page)) as p (
    organization_id uuid, date date, after jsonb, max_rows integer);
  return query
    select jsonb_build_object('organization_id', e.organization_id, 'usage_date', e.usage_date, 'time', e.time,
      'entry', e.entry, 'source', e.source, 'event_id', e.event_id, 'revision', e.revision, 'user_id', e.user_id,
      'session_id', e.session_id, 'message_id', e.message_id, 'provider', e.provider, 'model', e.model,
      'input_tokens', e.input_tokens::text, 'output_tokens', e.output_tokens::text,
      'cache_read_input_tokens', e.cache_read_input_tokens::text,
      'cache_creation_input_tokens', e.cache_creation_input_tokens::text,
      'reasoning_output_tokens', e.reasoning_output_tokens::text, 'total_tokens', e.total_tokens::text,
      'message_count', e.message_count, 'event_count', e.event_count, 'cost_usd', e.cost_usd::text,
      'charge_usd', e.charge_usd::text, 'price_id', e.price_id::text, 'period_start', e.period_start,
      'original_period_start', e.original_period_start, 'imported', e.imported, 'after_revocation', e.after_revocation,
      'received_at', e.received_at, 'recorded_at', e.recorded_at),
      jsonb_build_array(encode(e.digest, 'hex'), e.entry, e.revision, e.recorded_at)
    from tollgate.usage_events e
    where e.organization_id = asked.organization_id and e.usage_date = asked.date
      and (asked.after is null or (encode(e.digest, 'hex'), e.entry, e.revision, e.recorded_at) > (
        asked.after ->> 0, asked.after ->> 1, (asked.after ->> 2)::integer, (asked.after ->> 3)::timestamptz))
    order by encode(e.digest, 'hex'), e.entry, e.revision, e.recorded_at
    limit asked.max_rows;
end
$$;

-- Purpose: read the rollup by organization, day, model and user, for an export. Parameters: page = { organization_id, date }.
-- Returns: its rows as jsonb (bigint and numeric as text). Reads only.
create function public.export_rollups(page jsonb) returns table (line jsonb)
language sql stable security invoker set search_path = ''
as $$
  select jsonb_build_object('organization_id', m.organization_id, 'date', m.date, 'model', m.model, 'user_id', m.user_id,
    'input_tokens', m.input_tokens::text, 'output_tokens', m.output_tokens::text,
    'cache_read_input_tokens', m.cache_read_input_tokens::text,
    'cache_creation_input_tokens', m.cache_creation_input_tokens::text,
    'reasoning_output_tokens', m.reasoning_output_tokens::text, 'total_tokens', m.total_tokens::text,
    'cost_usd', m.cost_usd::text, 'charge_usd', m.charge_usd::text, 'message_count', m.message_count::text,
    'event_count', m.event_count::text, 'unpriced_events', m.unpriced_events::text)
  from jsonb_to_record(tollgate.unwrap(page)) as p (organization_id uuid, date date)
  join tollgate.usage_by_model m on m.organization_id = p.organization_id and m.date = p.date
  order by m.model, m.user_id
$$;

-- Purpose: the days that an export goes through. Parameters: from_date, to_date (both included), only_organization (null:
--   all). Returns: a row an organization and day with usage. Reads only.
create function public.list_usage_days(from_date date, to_date date, only_organization uuid default null)
returns table (organization_id uuid, date date)
language sql stable security invoker set search_path = ''
as $$
  select distinct m.organization_id, m.date from tollgate.usage_by_model m
  where m.date between from_date and to_date and (only_organization is null or m.organization_id = only_organization)
  order by m.organization_id, m.date
$$;

revoke execute on function public.export_ledger, public.export_rollups, public.list_usage_days
  from public, anon, authenticated;
grant execute on function public.export_ledger, public.export_rollups, public.list_usage_days to service_role;

-- schemas/40-functions/find_day_drift.sql
-- Purpose: where the rollups of a day differ from ledger and closing figures. Parameters: for_organization, for_date.
-- Returns: a row a rollup row that is off or missing: rollup, user_id, model, session_id (where they are part of its key),
--   tokens_off and cost_off (what the rollup has too little). Locks: none. Reads only.
-- Invariant: one statement, so one snapshot: since ledger and rollups change in one transaction, ingestion under way is
--   never taken for a drift. What was there before Tollgate is no drift, until and after it is posted as opening balance.
create function tollgate.find_day_drift(for_organization uuid, for_date date)
returns table (rollup text, user_id uuid, model text, session_id text, tokens_off bigint, cost_off numeric)
language sql stable security invoker set search_path = ''
as $$
  with metrics as (
    select m.* from public.usage_metrics m where m.organization_id = for_organization and m.date = for_date
  ), models as (
    select m.* from tollgate.usage_by_model m where m.organization_id = for_organization and m.date = for_date
  ), known as (
    select (i.installed_at at time zone 'UTC')::date > for_date as is_before from tollgate.installation i
  )
  select 'usage_metrics', user_id, null::text, null::text,
    coalesce(f.tokens_used, 0) - coalesce(m.tokens_used, 0), coalesce(f.cost_usd, 0) - coalesce(m.cost_usd, 0)
  from tollgate.fold_usage_metrics(for_organization, for_date) f full join metrics m using (user_id)
  where not (f.tokens_used is null and (select k.is_before from known k))
    and not exists (
      select from tollgate.preexisting_usage p
      where p.organization_id = for_organization and p.date = for_date and p.user_id = m.user_id)
    and row(coalesce(f.tokens_used, 0), coalesce(f.input_tokens, 0), coalesce(f.output_tokens, 0), coalesce(f.cost_usd, 0),
        coalesce(f.charge_usd, 0), coalesce(f.message_count, 0), coalesce(f.event_count, 0), coalesce(f.unpriced_events, 0))
      is distinct from row(m.tokens_used, m.input_tokens, m.output_tokens, m.cost_usd, m.charge_usd, m.message_count,
        m.event_count, m.unpriced_events)
  union all
  select 'usage_by_model', user_id, model, null,
    coalesce(f.total_tokens, 0) - coalesce(m.total_tokens, 0), coalesce(f.cost_usd, 0) - coalesce(m.cost_usd, 0)
  from tollgate.fold_usage_by_model(for_organization, for_date) f full join models m using (model, user_id)
  where row(coalesce(f.total_tokens, 0), coalesce(f.input_tokens, 0), coalesce(f.output_tokens, 0),
        coalesce(f.cache_read_input_tokens, 0), coalesce(f.cache_creation_input_tokens, 0),
        coalesce(f.reasoning_output_tokens, 0), coalesce(f.cost_usd, 0), coalesce(f.charge_usd, 0),
        coalesce(f.message_count, 0), coalesce(f.event_count, 0), coalesce(f.unpriced_events, 0))
      is distinct from row(m.total_tokens, m.input_tokens, m.output_tokens, m.cache_read_input_tokens,
        m.cache_creation_input_tokens, m.reasoning_output_tokens, m.cost_usd, m.charge_usd, m.message_count,
        m.event_count, m.unpriced_events)
  union all
  select 'usage_by_organization_model', null, model, null,
    coalesce(f.total_tokens, 0) - coalesce(m.total_tokens, 0), coalesce(f.cost_usd, 0) - coalesce(m.cost_usd, 0)
  from tollgate.fold_organization_models(for_organization, for_date) f
  full join (
    select o.* from tollgate.usage_by_organization_model o
    where o.organization_id = for_organization and o.date = for_date) m using (model)
  where row(coalesce(f.total_tokens, 0), coalesce(f.input_tokens, 0), coalesce(f.output_tokens, 0),
        coalesce(f.cache_read_input_tokens, 0), coalesce(f.cache_creation_input_tokens, 0),
        coalesce(f.reasoning_output_tokens, 0), coalesce(f.cost_usd, 0), coalesce(f.charge_usd, 0),
        coalesce(f.message_count, 0), coalesce(f.event_count, 0), coalesce(f.unpriced_events, 0))
      is distinct from row(m.total_tokens, m.input_tokens, m.output_tokens, m.cache_read_input_tokens,
        m.cache_creation_input_tokens, m.reasoning_output_tokens, m.cost_usd, m.charge_usd, m.message_count,
        m.event_count, m.unpriced_events)
  union all
  select 'chat_sessions', e.user_id, null, e.session_id, sum(e.total_tokens)::bigint, coalesce(sum(e.cost_usd), 0)
  from tollgate.usage_events e
  where e.organization_id = for_organization and e.usage_date = for_date and e.entry <> 'opening_balance'
    and not exists (
      select from public.chat_sessions s
      where s.organization_id = for_organization and s.user_id = e.user_id and s.librechat_session_id = e.session_id)
  group by e.user_id, e.session_id
  union all
  select 'period_totals', null, null, null, sum(e.total_tokens)::bigint, coalesce(sum(e.cost_usd), 0)
  from tollgate.usage_events e
  where e.organization_id = for_organization and e.usage_date = for_date
    and not exists (
      select from tollgate.period_totals t
      where t.organization_id = for_organization and t.period_start = e.period_start)
  group by e.period_start
$$;

grant execute on function tollgate.find_day_drift to tollgate_usage_worker, service_role;

-- schemas/40-functions/find_enforcement.sql
-- Purpose: what holds for one organization, and whether that was decided from all that is ordered and set for it by now.
-- Parameters: for_organization. Returns: a row as of list_enforcement where it was ever decided upon, with settled and
--   deaf_ms (how long a gate that reads Postgres alone may go on with what it read before; 0: there is none). Reads only.
create function public.find_enforcement(for_organization uuid)
returns table (
  organization_id uuid, user_id uuid, state text, version text, revision text, reason text, decision_id uuid,
  period_end timestamptz, lapses boolean, reduced_config jsonb, epoch text, settled boolean, deaf_ms integer)
language sql stable security invoker set search_path = ''
as $$
  select s.organization_id, null::uuid, s.state, s.version::text, s.revision::text, s.reason, s.decision_id, s.period_end,
    s.lapses, s.reduced_config, c.epoch::text, s.inputs_key = i.inputs_key,
    (select coalesce(ceil(max(extract(epoch from g.leased_until - clock_timestamp())) * 1000), 0)::integer
      from tollgate.deaf_gates g where g.leased_until > clock_timestamp())
  from tollgate.enforcement_states s
  join tollgate.quota_inputs i on i.organization_id = s.organization_id
  cross join tollgate.enforcement_control c
  where s.organization_id = for_organization
$$;

revoke execute on function public.find_enforcement from public, anon, authenticated;
grant execute on function public.find_enforcement to tollgate_token_api, service_role;

-- schemas/40-functions/find_login.sql
-- Purpose: all that an access token says of a user. Parameters: for_user. Returns: no row for an unknown user or one
--   without an organization, else one; limit_tokens null = unlimited; version is the
--   organization's and the user's together: it rises whenever either does; state, reason and decision are the user's where
--   the user alone is revoked; while enforcement is paused nobody is, and what has lapsed with its period is over.
-- Invariant: read in one statement, so that a token never mixes two states. Reads only.
create function public.find_login(for_user uuid)
returns table (
  user_id uuid, email text, full_name text, username text, avatar_url text, role text,
  organization_id uuid, name text, domain text, plan_type text, librechat_config jsonb, plan_config jsonb,
  limit_tokens text, state text, version text, reduced_config jsonb, reason text, decision_id uuid, period_end timestamptz,
  user_reduced_config jsonb, is_user_revoked boolean)
language sql stable security invoker set search_path = ''
as $$
  select m.user_id, m.email, m.full_name, m.username, m.avatar_url, m.role,
    o.organization_id, o.name, o.domain, o.plan_type, o.librechat_config, p.librechat_config,
    i.limit_tokens::text,
    case when c.paused then 'active' when r.is_user_revoked then u.state
      else tollgate.state_at(s.state, s.lapses, s.period_end) end,
    (coalesce(s.version, c.version_floor) + coalesce(u.version, 0))::text, case when not e.is_over then s.reduced_config end,
    case when r.is_user_revoked then u.reason else s.reason end,
    case when r.is_user_revoked then u.decision_id else s.decision_id end,
    case when r.is_user_revoked then u.period_end else s.period_end end,
    case when not e.is_user_over then u.reduced_config end, r.is_user_revoked
  from tollgate.directory_members m
  -- Offset: each is a look of its own; taken into the joins, all organizations would be worked out first.
  cross join lateral (
    select d.* from tollgate.directory_organizations d where d.organization_id = m.organization_id offset 0) o
  cross join lateral (select q.* from tollgate.quota_inputs q where q.organization_id = o.organization_id offset 0) i
  left join tollgate.plans p on p.plan_type = o.plan_type
  cross join tollgate.enforcement_control c
  left join tollgate.enforcement_states s on s.organization_id = o.organization_id
  left join tollgate.user_enforcement_states u on u.organization_id = o.organization_id and u.user_id = m.user_id
  cross join lateral (
    select tollgate.is_lapsed(s.lapses, s.period_end) as is_over,
      tollgate.is_lapsed(u.lapses, u.period_end) as is_user_over) e
  cross join lateral (
    select coalesce(u.state = 'revoked', false) and not e.is_user_over
      and (e.is_over or s.state is distinct from 'revoked') as is_user_revoked) r
  where m.user_id = for_user
$$;

revoke execute on function public.find_login from public, anon, authenticated;
grant execute on function public.find_login to tollgate_token_api, service_role;

-- schemas/40-functions/find_members.sql
-- Purpose: to which organizations users belong, and in what role. Parameters: users = { "ids": [uuid, …] }.
-- Returns: a row a known user: user_id, organization_id (null: none), role. Reads only.
create function public.find_members(users jsonb) returns table (user_id uuid, organization_id uuid, role text)
language sql stable security invoker set search_path = ''
as $$
  select m.user_id, m.organization_id, m.role
  from jsonb_array_elements_text(tollgate.unwrap(users) -> 'ids') u (id)
  join tollgate.directory_members m on m.user_id = u.id::uuid
$$;

revoke execute on function public.find_members from public, anon, authenticated;
grant execute on function public.find_members to tollgate_token_api, service_role;

-- schemas/40-functions/find_proxy_session.sql
-- Purpose: whose a session at the proxy is. Parameters: session_sha256 = SHA-256 of the cookie's id, 64 hex digits.
-- Returns: no row for an unknown session, else one; token_id is that of the handoff, or of the access token that stood in
--   for it: a revocation of it ends the session; role is the present one; ended: it is over, or its login session is, or
--   the user was deleted, has left the organization, has a lower role than before or has signed out of Supabase.
-- Reads only.
create function public.find_proxy_session(session_sha256 text)
returns table (
  token_id uuid, login_session_id uuid, organization_id uuid, user_id uuid, role text, expires_at timestamptz,
  ended boolean)
language sql stable security invoker set search_path = ''
as $$
  select coalesce(s.access_token_id, s.handoff_id), s.login_session_id, s.organization_id, s.user_id, m.role, s.expires_at,
    s.ended_at is not null or m.user_id is null or l.id is null or l.ended_at is not null
      or tollgate.login_fault(l) is not null
  from tollgate.proxy_sessions s
  left join tollgate.directory_members m on m.user_id = s.user_id and m.organization_id = s.organization_id
  left join tollgate.login_sessions l on l.id = s.login_session_id
  where s.id_hash = decode(session_sha256, 'hex')
$$;

revoke execute on function public.find_proxy_session from public, anon, authenticated;
grant execute on function public.find_proxy_session to tollgate_token_api, service_role;

-- schemas/40-functions/find_service_key.sql
-- Purpose: what a server's key may do. Parameters: key_sha256 = SHA-256 of the key, 64 hex digits.
-- Returns: no row for an unknown, revoked or expired key, else one; organization_id null = the operator's, expires_at null =
--   never. Reads only.
create function public.find_service_key(key_sha256 text)
returns table (id uuid, scopes text[], organization_id uuid, expires_at timestamptz)
language sql stable security invoker set search_path = ''
as $$
  select k.id, k.scopes, k.organization_id, k.expires_at
  from tollgate.service_keys k
  where k.key_hash = decode(key_sha256, 'hex') and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
$$;

revoke execute on function public.find_service_key from public, anon, authenticated;
grant execute on function public.find_service_key to tollgate_token_api, service_role;

-- schemas/40-functions/find_sign_in.sql
-- Purpose: whether a sign-in to Supabase goes on. Parameters: session (of the Supabase token), of_user.
-- Returns: one row: signed_out (false also where it cannot be told). Reads only.
create function public.find_sign_in(session uuid, of_user uuid) returns table (signed_out boolean)
language sql stable security invoker set search_path = ''
as $$
  select tollgate.supabase_session_is_gone(session, of_user)
$$;

revoke execute on function public.find_sign_in from public, anon, authenticated;
grant execute on function public.find_sign_in to tollgate_token_api, service_role;

-- schemas/40-functions/find_user_enforcement.sql
-- Purpose: what holds for one user, and whether that was decided from all that is ordered and set by now.
-- Parameters: for_organization, for_user. Returns: as find_enforcement, where the user was ever decided upon; settled is false
--   as long as the next evaluation finds other inputs than the last one. Reads only.
create function public.find_user_enforcement(for_organization uuid, for_user uuid)
returns table (
  organization_id uuid, user_id uuid, state text, version text, revision text, reason text, decision_id uuid,
  period_end timestamptz, lapses boolean, reduced_config jsonb, epoch text, settled boolean, deaf_ms integer)
language sql stable security invoker set search_path = ''
as $$
  select s.organization_id, s.user_id, s.state, s.version::text, s.revision::text, s.reason, s.decision_id, s.period_end,
    s.lapses, s.reduced_config, c.epoch::text,
    s.inputs_key = tollgate.user_inputs_key(i.period_end, q.version,
      tollgate.shared_user_key(i.time_zone, i.reduced_configs, i.mode, f.version), v.decision_id::text),
    (select coalesce(ceil(max(extract(epoch from g.leased_until - clock_timestamp())) * 1000), 0)::integer
      from tollgate.deaf_gates g where g.leased_until > clock_timestamp())
  from tollgate.user_enforcement_states s
  join tollgate.quota_inputs i on i.organization_id = s.organization_id
  left join tollgate.user_quota_defaults f on f.organization_id = s.organization_id
  left join tollgate.user_quotas q on q.organization_id = s.organization_id and q.user_id = s.user_id
  left join tollgate.user_enforcement_overrides v
    on v.organization_id = s.organization_id and v.user_id = s.user_id and (v.until is null or v.until > now())
  cross join tollgate.enforcement_control c
  where s.organization_id = for_organization and s.user_id = for_user
$$;

revoke execute on function public.find_user_enforcement from public, anon, authenticated;
grant execute on function public.find_user_enforcement to tollgate_token_api, service_role;

-- schemas/40-functions/finish_idempotent.sql
-- Purpose: say how a try that began with begin_idempotent ended. Parameters: result = { caller, key, attempt, status (null:
--   there is no answer to keep), answer, nothing_done? (the request may be forgotten) }. Returns: one row: kept.
-- Locks: the request's row. Invariant: an answer once kept is never replaced; a try that lost its lease to a later one changes
--   nothing; the seed of a try that may have acted stays, so that whoever repeats it makes the same.
create function public.finish_idempotent(result jsonb) returns table (kept boolean)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
begin
  select * into asked from jsonb_to_record(tollgate.unwrap(result)) as r (
    caller text, key text, attempt integer, status integer, answer text, nothing_done boolean);
  if asked.status is not null then
    update tollgate.idempotent_requests i set leased_until = null, status = asked.status, answer = asked.answer
    where i.caller = asked.caller and i.key = asked.key and i.attempt = asked.attempt and i.leased_until is not null;
    return query select found;
    return;
  end if;
  -- That a later try did nothing says nothing of the ones before.
  if asked.nothing_done and asked.attempt = 1 then
    delete from tollgate.idempotent_requests i
    where i.caller = asked.caller and i.key = asked.key and i.attempt = 1 and i.leased_until is not null;
  else
    update tollgate.idempotent_requests i set leased_until = now()
    where i.caller = asked.caller and i.key = asked.key and i.attempt = asked.attempt and i.leased_until is not null;
  end if;
  return query select false;
end
$$;

revoke execute on function public.finish_idempotent from public, anon, authenticated;
grant execute on function public.finish_idempotent to tollgate_token_api, service_role;

-- schemas/40-functions/fold_days.sql
-- Purpose: what usage_metrics has to say of a day. Parameters: for_organization, for_date. Returns: a row a user. Reads only.
create function tollgate.fold_usage_metrics(for_organization uuid, for_date date)
returns table (user_id uuid, tokens_used bigint, input_tokens bigint, output_tokens bigint, cost_usd numeric,
  charge_usd numeric, message_count bigint, event_count bigint, unpriced_events bigint)
language sql stable security invoker set search_path = ''
as $$
  select d.user_id, sum(d.total_tokens)::bigint, sum(d.input_tokens)::bigint, sum(d.output_tokens)::bigint,
    coalesce(sum(d.cost_usd), 0), coalesce(sum(d.charge_usd), 0), sum(d.message_count)::bigint,
    sum(d.event_count)::bigint, sum(d.unpriced_events)::bigint
  from tollgate.day_entries d
  where d.organization_id = for_organization and d.date = for_date
  group by d.user_id
$$;

-- Purpose: what usage_by_model has to say of a day. Parameters: as above. Returns: a row a model and user. Reads only.
create function tollgate.fold_usage_by_model(for_organization uuid, for_date date)
returns table (model text, user_id uuid, input_tokens bigint, output_tokens bigint, cache_read_input_tokens bigint,
  cache_creation_input_tokens bigint, reasoning_output_tokens bigint, total_tokens bigint, cost_usd numeric,
  charge_usd numeric, message_count bigint, event_count bigint, unpriced_events bigint)
language sql stable security invoker set search_path = ''
as $$
  select d.model, d.user_id, sum(d.input_tokens)::bigint, sum(d.output_tokens)::bigint,
    sum(d.cache_read_input_tokens)::bigint, sum(d.cache_creation_input_tokens)::bigint,
    sum(d.reasoning_output_tokens)::bigint, sum(d.total_tokens)::bigint, coalesce(sum(d.cost_usd), 0),
    coalesce(sum(d.charge_usd), 0), sum(d.message_count)::bigint, sum(d.event_count)::bigint,
    sum(d.unpriced_events)::bigint
  from tollgate.day_entries d
  where d.organization_id = for_organization and d.date = for_date
  group by d.model, d.user_id
$$;

-- Purpose: what usage_by_organization_model has to say of a day. Parameters: as above. Returns: a row a model. Reads only.
create function tollgate.fold_organization_models(for_organization uuid, for_date date)
returns table (model text, input_tokens bigint, output_tokens bigint, cache_read_input_tokens bigint,
  cache_creation_input_tokens bigint, reasoning_output_tokens bigint, total_tokens bigint, cost_usd numeric,
  charge_usd numeric, message_count bigint, event_count bigint, unpriced_events bigint)
language sql stable security invoker set search_path = ''
as $$
  select f.model, sum(f.input_tokens)::bigint, sum(f.output_tokens)::bigint, sum(f.cache_read_input_tokens)::bigint,
    sum(f.cache_creation_input_tokens)::bigint, sum(f.reasoning_output_tokens)::bigint, sum(f.total_tokens)::bigint,
    sum(f.cost_usd), sum(f.charge_usd), sum(f.message_count)::bigint, sum(f.event_count)::bigint,
    sum(f.unpriced_events)::bigint
  from tollgate.fold_usage_by_model(for_organization, for_date) f
  group by f.model
$$;

grant execute on function
  tollgate.fold_usage_metrics, tollgate.fold_usage_by_model, tollgate.fold_organization_models
  to tollgate_usage_worker, service_role;

-- schemas/40-functions/fold_month.sql
-- Purpose: until when months may be folded: what is recorded on a day before it belongs to another period than the present
--   one, by which ingest_usage knows that it may have to unfold. Parameters: for_organization. Returns: the first day that is
--   not over. Reads only. A day's grace for what is being recorded, and three for a time zone that is just being changed.
create function tollgate.foldable_before(for_organization uuid) returns date
language sql stable security invoker set search_path = ''
as $$
  select least((p.period_start at time zone p.time_zone)::date, (now() at time zone 'UTC')::date - 3)
  from tollgate.organization_period(for_organization, now() - interval '1 day') p
$$;

-- Purpose: what usage_by_month has to say of a month: the sums of its days, by user and by model. Parameters:
--   for_organization, for_month (its first day). Returns: rows of usage_by_month. Reads only.
create function tollgate.month_sums(for_organization uuid, for_month date) returns setof tollgate.usage_by_month
language sql stable security invoker set search_path = ''
as $$
  select for_organization, for_month, m.user_id, null, sum(m.tokens_used)::bigint, sum(m.input_tokens)::bigint,
    sum(m.output_tokens)::bigint, null::bigint, null::bigint, null::bigint, sum(m.cost_usd), sum(m.charge_usd),
    sum(m.message_count)::bigint, sum(m.event_count)::bigint, sum(m.unpriced_events)::bigint
  from public.usage_metrics m
  where m.organization_id = for_organization and m.date >= for_month and m.date < (for_month + interval '1 month')::date
  group by m.user_id
  union all
  select for_organization, for_month, null, m.model, sum(m.total_tokens)::bigint, sum(m.input_tokens)::bigint,
    sum(m.output_tokens)::bigint, sum(m.cache_read_input_tokens)::bigint, sum(m.cache_creation_input_tokens)::bigint,
    sum(m.reasoning_output_tokens)::bigint, sum(m.cost_usd), sum(m.charge_usd), sum(m.message_count)::bigint,
    sum(m.event_count)::bigint, sum(m.unpriced_events)::bigint
  from tollgate.usage_by_organization_model m
  where m.organization_id = for_organization and m.date >= for_month and m.date < (for_month + interval '1 month')::date
  group by m.model
$$;

-- Purpose: fold a month that is over, anew where it was folded before. Parameters: as above. Returns: whether it was: not
--   while somebody records usage of a past month of this organization.
-- Locks: the organization's months, in a statement of its own before the days are read: whoever changes one of them has
--   committed by then, or waits and unfolds the month. Nothing is waited for.
create function tollgate.fold_month(for_organization uuid, for_month date) returns boolean
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  if not pg_try_advisory_xact_lock(hashtext('tollgate.months'), hashtext(for_organization::text)) then
    return false;
  end if;
  delete from tollgate.usage_by_month f where f.organization_id = for_organization and f.month = for_month;
  insert into tollgate.usage_by_month select s.* from tollgate.month_sums(for_organization, for_month) s;
  return true;
end
$$;

-- Purpose: have months read by the day again, since one of their days changes in this transaction. Parameters:
--   of_organizations, of_days: arrays of the same length. Returns: nothing.
-- Locks: a share of the organizations' months, then rows of usage_by_month, each sorted; called before any rollup is locked.
create function tollgate.unfold_months(of_organizations uuid[], of_days date[]) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock_shared(hashtext('tollgate.months'), o.key)
  from (select distinct hashtext(u::text) as key from unnest(of_organizations) u order by key) o;
  perform from tollgate.usage_by_month f
  where (f.organization_id, f.month) in (
    select d.organization_id, date_trunc('month', d.day::timestamp)::date
    from unnest(of_organizations, of_days) d (organization_id, day))
  order by f.organization_id, f.month, f.user_id, f.model
  for update;
  delete from tollgate.usage_by_month f
  where (f.organization_id, f.month) in (
    select d.organization_id, date_trunc('month', d.day::timestamp)::date
    from unnest(of_organizations, of_days) d (organization_id, day));
end
$$;

-- Purpose: compare a month that is folded with its days, and where asked fold what is over and is not, or is off.
-- Parameters: for_organization, for_month, repair. Returns: drift (rows that are off) and changed, as check_slice.
-- Locks: see fold_month. Invariant: one statement compares, so one snapshot: a month that is being unfolded is no drift.
--   Nothing is folded before the organization has a period: until then its days may follow another calendar at once.
create function tollgate.check_month(
  for_organization uuid, for_month date, repair boolean, out drift jsonb, out changed boolean)
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('rollup', 'usage_by_month', 'organization_id', for_organization,
    'at', for_month, 'user_id', d.user_id, 'model', d.model, 'tokens_off', d.tokens_off::text, 'cost_off', d.cost_off::text))), '[]')
  into drift
  from (
    select coalesce(s.user_id, f.user_id) as user_id, coalesce(s.model, f.model) as model,
      coalesce(s.total_tokens, 0) - coalesce(f.total_tokens, 0) as tokens_off,
      coalesce(s.cost_usd, 0) - coalesce(f.cost_usd, 0) as cost_off
    from tollgate.month_sums(for_organization, for_month) s
    full join (
      select u.* from tollgate.usage_by_month u where u.organization_id = for_organization and u.month = for_month) f
      on coalesce(f.user_id::text, '') = coalesce(s.user_id::text, '') and coalesce(f.model, '') = coalesce(s.model, '')
    where s is distinct from f and exists (
      select from tollgate.usage_by_month u where u.organization_id = for_organization and u.month = for_month)
    limit 1000) d;
  changed := repair and (for_month + interval '1 month')::date <= tollgate.foldable_before(for_organization)
    and exists (select from tollgate.period_totals t where t.organization_id = for_organization)
    and (drift <> '[]' or not exists (
      select from tollgate.usage_by_month f where f.organization_id = for_organization and f.month = for_month))
    and tollgate.fold_month(for_organization, for_month);
end
$$;

grant execute on function tollgate.foldable_before, tollgate.month_sums, tollgate.fold_month, tollgate.unfold_months,
  tollgate.check_month to tollgate_usage_worker, service_role;

-- schemas/40-functions/forget_session_events.sql
-- Purpose: remove events that are in the queue from the outbox. Parameters: batch = { "ids": [text, …] }.
-- Returns: one row: forgotten. Locks: the rows. Invariant: called only after the queue has confirmed.
create function public.forget_session_events(batch jsonb) returns table (forgotten integer)
language sql volatile security invoker set search_path = ''
as $$
  with gone as (
    delete from tollgate.session_event_outbox o
    using jsonb_array_elements_text(tollgate.unwrap(batch) -> 'ids') i (id) where o.id = i.id::bigint
    returning 1
  )
  select count(*)::integer from gone
$$;

revoke execute on function public.forget_session_events from public, anon, authenticated;
grant execute on function public.forget_session_events to tollgate_token_api, service_role;

-- schemas/40-functions/grant_holds.sql
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

-- schemas/40-functions/hold_budgets.sql
-- Purpose: the budgets of whole organizations that requests for holds have to respect. Parameters: organizations, whose holds
--   the caller has locked; asked (LLM tokens, of each); observe (true: nobody is to be refused). Returns: a row for each one
--   known, unlimited ones too (so is one that is observed, exempt or paused). Reads only; without `set`, so that it is inlined.
-- Invariant: where access was restored by hand after the limit was passed, the next step that revokes is the limit. A hold whose
--   lease has run out does not count, whether or not somebody has marked it yet: a thousand of an organization at a time, as many
--   as are marked in a call.
create function tollgate.organization_budgets(organizations uuid[], asked bigint[], observe boolean)
returns setof tollgate.hold_budget
language sql stable security invoker
as $$
  select
    'organization', i.organization_id, null::uuid, null::text,
    case
      when l.is_lenient or l.act = 'exempt' then null
      when l.act = 'restore' then tollgate.limit_after_restore(
        i.limit_tokens, i.granted_tokens, i.policy, (i.manual_act ->> 'used_tokens')::bigint)
      else i.limit_tokens end,
    coalesce(t.used_tokens, 0), coalesce(h.reserved_tokens, 0) - coalesce(x.tokens, 0), i.period_start, i.period_end,
    -- What is ordered by hand holds at once, before the enforcer has put it into force; what lapses is over at once, too.
    not l.is_lenient and l.act is distinct from 'exempt' and (l.act = 'revoke' or e.state = 'revoked') is true,
    case when l.act = 'revoke' then 'manual_revoke' when not e.is_over then s.reason end,
    case when l.act = 'revoke' and e.state <> 'revoked' then (i.manual_act ->> 'decision_id')::uuid
      when not e.is_over then s.decision_id end,
    l.is_lenient, case when l.act is distinct from 'exempt' then (i.policy ->> 'session_max_tokens')::bigint end, i.time_zone,
    asked[array_position(organizations, i.organization_id)],
    exists (select from tollgate.user_quotas u where u.organization_id = i.organization_id)
      or exists (select from tollgate.user_quota_defaults f where f.organization_id = i.organization_id and f.is_limiting),
    x.tokens is not null, i.grants_due
  from tollgate.quota_inputs i
  left join tollgate.period_totals t on t.organization_id = i.organization_id and t.period_start = i.period_start
  left join tollgate.reserved_totals h on h.organization_id = i.organization_id
  left join tollgate.enforcement_states s on s.organization_id = i.organization_id
  cross join lateral (
    select sum(d.total_tokens)::bigint as tokens from tollgate.due_holds(i.organization_id, h.expired_upto, 1000) d) x
  cross join lateral (
    select observe or i.mode = 'observe' or exists (select from tollgate.enforcement_control c where c.paused) as is_lenient,
      i.manual_act ->> 'act' as act offset 0) l
  cross join lateral (
    select tollgate.state_at(s.state, s.lapses, s.period_end) as state, tollgate.is_lapsed(s.lapses, s.period_end) as is_over) e
  where i.organization_id = any(organizations)
  -- Worked out once: without `offset` each column would be worked out wherever it is read.
  offset 0
$$;

-- Purpose: the budgets of users who ask for holds. Parameters: requests; wholes (the budgets of their organizations).
-- Returns: a row for each user who has a limit, an own one or the organization's default for users, or who is revoked.
-- Reads only. Invariant: what lifts the organization's limit lifts no user's, but for observing and pausing.
create function tollgate.user_budgets(requests tollgate.hold_request[], wholes tollgate.hold_budget[])
returns setof tollgate.hold_budget
language sql stable security invoker set search_path = ''
as $$
  select
    'user', d.organization_id, d.user_id, null::text, n.limit_tokens,
    case when n.limit_tokens is null then 0 else coalesce((
      select sum(r.tokens_used) from public.usage_metrics r
      where r.organization_id = d.organization_id and r.user_id = d.user_id
        and r.date >= (o.period_start at time zone o.time_zone)::date and r.date < (o.period_end at time zone o.time_zone)::date),
      0)::bigint end,
    case when n.limit_tokens is null then 0 else coalesce((
      select sum(h.total_tokens) from tollgate.reservations h
      where h.organization_id = d.organization_id and h.state in ('held', 'committing') and h.user_id = d.user_id), 0)::bigint end,
    o.period_start, o.period_end, n.is_closed,
    case when v.act = 'revoke' then 'manual_revoke' when not e.is_over then s.reason end,
    case when v.act = 'revoke' and e.state <> 'revoked' then v.decision_id when not e.is_over then s.decision_id end,
    null::boolean, null::bigint, null::text, null::bigint, null::boolean, null::boolean, null::boolean
  from (select distinct r.organization_id, r.user_id from unnest(requests) r) d
  join unnest(wholes) o on o.organization_id = d.organization_id and not o.is_lenient
  left join tollgate.user_quotas u on u.organization_id = d.organization_id and u.user_id = d.user_id
  left join tollgate.user_quota_defaults f on f.organization_id = d.organization_id
  left join tollgate.user_enforcement_states s on s.organization_id = d.organization_id and s.user_id = d.user_id
  left join tollgate.user_enforcement_overrides v on v.organization_id = d.organization_id and v.user_id = d.user_id
    and (v.until is null or v.until > now())
  cross join lateral (
    select tollgate.state_at(s.state, s.lapses, s.period_end) as state, tollgate.is_lapsed(s.lapses, s.period_end) as is_over) e
  cross join lateral (select case when u.is_own then u.max_tokens else f.max_tokens end as own_limit) l
  cross join lateral (
    select case v.act
        when 'exempt' then null
        when 'restore' then tollgate.limit_after_restore(l.own_limit, 0, coalesce(u.policy, f.policy), v.used_tokens)
        else l.own_limit end as limit_tokens,
      v.act is distinct from 'exempt' and (v.act = 'revoke' or e.state = 'revoked') is true as is_closed) n
  where n.limit_tokens is not null or n.is_closed
$$;

-- Purpose: the budgets of chat sessions that ask for holds, over each session's whole life. Parameters: requests; wholes (the
--   budgets of their organizations). Returns: a row for each session whose organization limits sessions. Reads only.
create function tollgate.session_budgets(requests tollgate.hold_request[], wholes tollgate.hold_budget[])
returns setof tollgate.hold_budget
language sql stable security invoker set search_path = ''
as $$
  select
    'session', s.organization_id, s.user_id, s.session_id, s.session_max_tokens,
    coalesce((
      select c.total_tokens from public.chat_sessions c
      where c.organization_id = s.organization_id and c.user_id = s.user_id and c.librechat_session_id = s.session_id), 0),
    coalesce((
      select sum(h.total_tokens) from tollgate.reservations h
      where h.organization_id = s.organization_id and h.state in ('held', 'committing')
        and h.user_id = s.user_id and h.session_id = s.session_id), 0)::bigint,
    s.period_start, s.period_end, false, null::text, null::uuid, null::boolean,
    null::bigint, null::text, null::bigint, null::boolean, null::boolean, null::boolean
  from (
    select distinct r.organization_id, r.user_id, r.session_id, o.session_max_tokens, o.period_start, o.period_end
    from unnest(requests) r join unnest(wholes) o on o.organization_id = r.organization_id
    where o.session_max_tokens is not null and not o.is_lenient) s
$$;

-- Purpose: all limits that requests for holds have to respect, with what is used and held of each. Parameters: requests;
--   wholes (the budgets of their organizations). Returns: the budgets, those of organizations first. Reads only.
-- Invariant: all limits apply; a larger or missing one of a narrower scope never lifts a wider one. Limits of users and
--   sessions cost nothing where there are none.
create function tollgate.hold_budgets(requests tollgate.hold_request[], wholes tollgate.hold_budget[])
returns tollgate.hold_budget[]
language plpgsql stable security invoker set search_path = ''
as $$
declare
  budgets tollgate.hold_budget[] := wholes;
begin
  if exists (select from unnest(wholes) b where b.limits_users) then
    budgets := budgets || array(select b from tollgate.user_budgets(requests, wholes) b);
  end if;
  if exists (select from unnest(wholes) b where b.session_max_tokens is not null) then
    budgets := budgets || array(select b from tollgate.session_budgets(requests, wholes) b);
  end if;
  return budgets;
end
$$;

grant execute on function tollgate.organization_budgets, tollgate.user_budgets, tollgate.session_budgets, tollgate.hold_budgets
  to tollgate_token_api, service_role;

-- schemas/40-functions/hold_corrections.sql
-- Purpose: keep corrections until their originals arrive. Parameters: corrections, the highest revision of each original.
-- Returns: those that were kept; the others bring no news.
-- Locks: rows of pending_corrections in the order of their primary key. Invariant: the highest revision waits.
create function tollgate.hold_corrections(corrections tollgate.judged_event[]) returns bigint[]
language sql volatile security invoker set search_path = ''
as $$
  with held as (
    insert into tollgate.pending_corrections as t (
      organization_id, digest, revision, input_tokens, output_tokens, cache_read_input_tokens,
      cache_creation_input_tokens, reasoning_output_tokens, total_tokens, message_count, received_at)
    select c.organization_id, c.digest, c.revision, c.input_tokens, c.output_tokens, c.cache_read_input_tokens,
      c.cache_creation_input_tokens, c.reasoning_output_tokens, c.total_tokens, c.message_count, c.received_at
    from unnest(corrections) c
    order by c.organization_id, c.digest
    on conflict (organization_id, digest) do update set
      revision = excluded.revision, input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens,
      cache_read_input_tokens = excluded.cache_read_input_tokens,
      cache_creation_input_tokens = excluded.cache_creation_input_tokens,
      reasoning_output_tokens = excluded.reasoning_output_tokens, total_tokens = excluded.total_tokens,
      message_count = excluded.message_count, received_at = excluded.received_at
    where excluded.revision > t.revision
    returning t.organization_id, t.digest
  )
  select coalesce(array_agg(c.ordinal), '{}')
  from unnest(corrections) c join held h on h.organization_id = c.organization_id and h.digest = c.digest
$$;

grant execute on function tollgate.hold_corrections to tollgate_usage_worker, service_role;

-- schemas/40-functions/hold_in_turn.sql
-- Purpose: hold LLM tokens where not everything is new and fits: decide on one request after the other, first come, first served.
-- Parameters: requests; wholes (the budgets of their organizations, whose holds the caller has locked; absent: unknown);
--   held_at. Returns: a row a request, as reserve_tokens does. Locks: none of its own beside the rows that it changes.
-- Invariant: that of reserve_tokens.
create function tollgate.hold_in_turn(
  requests tollgate.hold_request[], wholes tollgate.hold_budget[], held_at timestamptz)
returns table (
  i integer, outcome text, id uuid, total_tokens text, state text, expires_at timestamptz, remaining_tokens text,
  refusal jsonb, retry_at timestamptz, decision_id uuid, organization_id uuid, limit_tokens text, used_tokens text,
  reserved_tokens text, period_start timestamptz, period_end timestamptz, as_of timestamptz)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  budgets tollgate.hold_budget[] := tollgate.hold_budgets(requests, coalesce(wholes, '{}'));
  fresh tollgate.hold_request[] := array(
    select q.request from (
      select r as request, r.*, row_number() over (
        partition by r.organization_id, coalesce(r.idempotency_key, r.id::text) order by r.ordinal) as turn
      from unnest(requests) r) q
    -- Subqueries, not joins: whatever the planner takes the table's size to be, each is one look into an index.
    where q.turn = 1
      and (select h.id from tollgate.reservations h where h.id = q.id) is null
      and (q.idempotency_key is null or (select h.id from tollgate.reservations h
        where h.organization_id = q.organization_id and h.idempotency_key = q.idempotency_key) is null)
    order by q.ordinal);
  grants tollgate.hold_grant[] := tollgate.grant_holds(fresh, budgets);
begin
  -- One statement holds, counts and answers: one of its own that answers would look up each hold that was just made.
  return query
    with held as (
      insert into tollgate.reservations as n (
        id, organization_id, user_id, session_id, total_tokens, created_at, expires_at, idempotency_key)
      select r.id, r.organization_id, r.user_id, r.session_id, r.total_tokens, held_at,
        held_at + r.ttl_seconds * interval '1 second', r.idempotency_key
      from unnest(fresh) r
      where r.ordinal not in (select g.ordinal from unnest(grants) g where g.refused_by is not null)
        and r.organization_id in (select b.organization_id from unnest(budgets) b)
      returning n as hold
    ), total as (
      update tollgate.reserved_totals t set reserved_tokens = t.reserved_tokens + h.total_tokens, updated_at = now()
      from (select (n.hold).organization_id, sum((n.hold).total_tokens)::bigint as total_tokens from held n group by 1) h
      where t.organization_id = h.organization_id
      returning t.organization_id, h.total_tokens
    ), budget as materialized (
      -- Not what the total says: leases that have run out may not all have been taken off it yet.
      select b.*, b.ordinality::integer as place, b.reserved_tokens + coalesce(t.total_tokens, 0) as held_now
      from unnest(budgets) with ordinality b left join total t on t.organization_id = b.organization_id
    ), answer as materialized (
      select r.*, min(r.ordinal) over (partition by r.organization_id, coalesce(r.idempotency_key, r.id::text)) as first,
        row_number() over (partition by r.organization_id order by r.ordinal) = 1 as is_first,
        coalesce(n.hold,
          (select h from tollgate.reservations h where h.id = r.id),
          case when r.idempotency_key is not null then (select h from tollgate.reservations h
            where h.organization_id = r.organization_id and h.idempotency_key = r.idempotency_key) end) as hold
      from unnest(requests) r
      left join held n on (n.hold).organization_id = r.organization_id
        and coalesce((n.hold).idempotency_key, (n.hold).id::text) = coalesce(r.idempotency_key, r.id::text)
    )
    select r.ordinal - 1,
      case
        when o.organization_id is null then 'unknown_organization'
        when (r.hold).id is null then case when b.is_closed then 'closed' else 'refused' end
        when ((r.hold).user_id, (r.hold).session_id, (r.hold).total_tokens) <> (r.user_id, r.session_id, r.total_tokens) then 'conflict'
        else 'held' end,
      (r.hold).id, (r.hold).total_tokens::text, (r.hold).state, (r.hold).expires_at,
      case when o.limit_tokens is not null or g.ordinal is not null then
        greatest(0, coalesce(g.room, o.limit_tokens - o.used_tokens - o.held_now)) end::text,
      case when (r.hold).id is null and b.place is not null then jsonb_build_object(
        'scope', b.scope, 'limit_tokens', b.limit_tokens::text, 'used_tokens', b.used_tokens::text, 'reason', b.state_reason,
        'reserved_tokens', case b.scope when 'organization' then b.held_now else b.reserved_tokens end::text) end,
      case
        when (r.hold).id is not null or b.place is null then null
        when b.is_closed or b.used_tokens + r.total_tokens > b.limit_tokens then b.period_end -- no hold that ends makes room for it
        else greatest(now(), coalesce((
          select min(e.expires_at) from (
            select h.expires_at from tollgate.reservations h
            where h.organization_id = r.organization_id and h.state in ('held', 'committing')
            union all
            select (n.hold).expires_at from held n where (n.hold).organization_id = r.organization_id) e), now()))
          + interval '1 second'
      end,
      coalesce(b.decision_id, o.decision_id), r.organization_id,
      p.limit_tokens::text, p.used_tokens::text, p.held_now::text, p.period_start, p.period_end,
      case when p.place is not null then clock_timestamp() end
    from answer r
    -- A repetition in the same batch is answered as the first.
    left join unnest(grants) g on g.ordinal = r.first
    left join budget o on o.organization_id = r.organization_id and o.scope = 'organization'
    left join budget p on p.place = o.place and r.is_first
    left join budget b on b.place = g.refused_by
    order by r.ordinal;
end
$$;

grant execute on function tollgate.hold_in_turn to tollgate_token_api, service_role;

-- schemas/40-functions/identity_digest.sql
-- Purpose: the short form of an event's identity. Parameters: source, id. Returns: first 16 bytes of SHA-256 over source,
--   NUL, id: no text holds a NUL, so no two pairs are written alike. Before them, of an id that looks like a UUID of version 7
--   (RFC 9562 5.7), seven digits of its time, in steps of four seconds: such identities come to lie beside each other, and an
--   insert touches the same few pages of the index however large it is.
create function tollgate.identity_digest(source text, id text) returns bytea
language sql stable parallel safe -- as convert_to is: only so it becomes part of the query that calls it
return convert_to(case when id like '________-____-7___-%' then substr(id, 3, 6) || substr(id, 10, 1) else '' end, 'UTF8')
  || substring(sha256(convert_to(source, 'UTF8') || '\x00'::bytea || convert_to(id, 'UTF8')) for 16);

grant execute on function tollgate.identity_digest to tollgate_token_api, tollgate_usage_worker, service_role;

-- schemas/40-functions/import_usage.sql
-- Purpose: record usage of the past, which is not bound to 35 days, or say what would become of it.
-- Parameters: batch = { "events": [AcceptedEvent, …], "dry_run": boolean }.
-- Returns: one row: recorded, duplicates, conflicts, unpriced (counts; with dry_run: would be), rejected: jsonb array of
--   { i (0-based), reason }.
-- Locks: a share of the books, since it writes to months that may be sealed or made meanwhile; then as ingest_usage.
-- Invariant: as ingest_usage, and: no enforcement for past periods, so what belongs to a closed period is rejected
--   (period_closed) instead of counting against the present one; identities of imports are never pruned, also one that
--   somebody else is recording at this moment. The source of opening balances (tollgate) is rejected as invalid_event.
create function public.import_usage(batch jsonb)
returns table (recorded integer, duplicates integer, conflicts integer, unpriced integer, rejected jsonb)
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  asked jsonb := tollgate.unwrap(batch);
  events jsonb;
  judged tollgate.judged_event[];
  refused jsonb;
  outcome record;
begin
  select coalesce(jsonb_agg(e.event || '{"imported": true, "type": "usage.recorded"}' order by e.position), '[]') into events
  from jsonb_array_elements(asked -> 'events') with ordinality e (event, position);
  judged := array(select j from tollgate.judge_events(jsonb_build_object('events', events)) j);
  if not coalesce((asked ->> 'dry_run')::boolean, false) then
    perform pg_advisory_xact_lock_shared(hashtext('tollgate.books'));
    perform pg_advisory_xact_lock_shared(hashtext('tollgate.periods')); -- before the look at what is closed
  end if;
  select coalesce(jsonb_agg(jsonb_build_object('i', j.ordinal - 1, 'reason', coalesce(j.rejection,
      case when j.source = 'tollgate' then 'invalid_event' when o.organization_id is null then 'unknown_organization' else 'period_closed' end)) order by j.ordinal), '[]')
  into refused
  from unnest(judged) j
  left join tollgate.directory_organizations o on o.organization_id = j.organization_id
  left join tollgate.period_statements s on s.organization_id = j.organization_id and s.period_start = j.period_start
  where j.rejection is not null or o.organization_id is null or s.organization_id is not null or j.source = 'tollgate';
  rejected := refused;
  if (asked ->> 'dry_run')::boolean then
    select count(*) filter (where i.digest is null), count(*) filter (where i.digest is not null),
      count(*) filter (where i.counts_digest <> j.counts_digest), count(*) filter (where i.digest is null and j.price_id is null)
    into recorded, duplicates, conflicts, unpriced
    from unnest(judged) j
    left join tollgate.usage_event_identities i on i.organization_id = j.organization_id and i.digest = j.digest
    where not exists (select from jsonb_array_elements(refused) r where (r ->> 'i')::bigint = j.ordinal - 1);
    return next;
    return;
  end if;
  select coalesce(jsonb_agg(e.event order by e.position), '[]') into events
  from jsonb_array_elements(events) with ordinality e (event, position)
  where not exists (select from jsonb_array_elements(refused) r where (r ->> 'i')::bigint = e.position - 1);
  loop
    begin
      -- Those that are known already, before ingest_usage locks anything else. Its own are marked as it inserts them.
      perform from tollgate.usage_event_identities i
      join unnest(judged) j on j.organization_id = i.organization_id and j.digest = i.digest
      order by i.organization_id, i.digest
      for update of i;
      update tollgate.usage_event_identities i set imported = true
      from unnest(judged) j where i.organization_id = j.organization_id and i.digest = j.digest and not i.imported;
      select * into outcome from public.ingest_usage(jsonb_build_object('events', events));
      exit when not exists (
        select from tollgate.usage_event_identities i
        join unnest(judged) j on j.organization_id = i.organization_id and j.digest = i.digest where not i.imported);
      raise sqlstate 'TG001'; -- recorded by somebody else between the marking and the claim: undo, and mark it too
    exception when sqlstate 'TG001' then null;
    end;
  end loop;
  select count(*), count(*) filter (where (o ->> 'conflict')::boolean) into duplicates, conflicts
  from jsonb_array_elements(outcome.outcomes) o where o ->> 'outcome' = 'duplicate';
  recorded := jsonb_array_length(events) - jsonb_array_length(outcome.outcomes);
  unpriced := outcome.unpriced;
  return next;
end
$$;

revoke execute on function public.import_usage from public, anon, authenticated;
grant execute on function public.import_usage to service_role;

-- schemas/40-functions/inbox_backlog.sql
-- Purpose: how much waits in the inbox. Parameters: none.
-- Returns: one row: events (waiting), oldest_seconds (age of the oldest row, 0 when none waits). Reads only.
create function public.inbox_backlog() returns table (events integer, oldest_seconds double precision)
language sql stable security invoker set search_path = ''
as $$
  select
    coalesce((select sum(i.event_count) from tollgate.event_inbox i), 0)::integer,
    coalesce(extract(epoch from now() - (
      select i.received_at from tollgate.event_inbox i order by i.id limit 1)), 0)::double precision
$$;

revoke execute on function public.inbox_backlog from public, anon, authenticated;
grant execute on function public.inbox_backlog to tollgate_token_api, tollgate_usage_worker, service_role;

-- schemas/40-functions/ingest_usage.sql
-- Purpose: record a batch of accepted events, all or nothing: identities → ledger → corrections → rollups → sessions →
--   period totals.
-- Parameters: batch = { "rows": text, "events": [AcceptedEvent, …] }, either or both (see judge_events).
-- Returns: one row. outcomes: jsonb array of { i (0-based, rows first), outcome: duplicate | rejected, conflict? , reason? }
--   for the events that were not simply recorded; totals: see add_period_totals; unpriced: how many events had no price;
--   after_revocation: how many calls were made while their organization was revoked;
--   holds: see settle_reservations.
-- Invariant: an event counts once; guard and effect are one transaction, and the guard comes first.
-- Locks: a share of the periods, identities, pending_corrections, a share of organizations' months, usage_by_month,
--   usage_metrics, usage_by_model, chat_sessions, login_sessions, reserved_totals, usage_by_organization_model, user_quotas,
--   period_totals, in this order, each sorted.
create function public.ingest_usage(batch jsonb)
returns table (outcomes jsonb, totals jsonb, unpriced integer, after_revocation integer, holds jsonb)
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  judged tollgate.judged_event[] := array(select j from tollgate.judge_events(tollgate.unwrap(batch)) j);
  fresh tollgate.judged_event[];       -- usage that counts now
  corrected tollgate.judged_event[];   -- entries of corrections
  entries tollgate.judged_event[];     -- both: what the ledger and every rollup gain
  probes tollgate.judged_event[];
  said tollgate.judged_event[] := '{}'; -- starts and ends of chat sessions
  claimed bigint[];
  taken bigint[];
  with_due_users uuid[] := '{}';
  has_corrections boolean;
  has_sessions boolean;
  has_logins boolean;
  has_holds boolean;
  has_other_periods boolean;
begin
  perform pg_advisory_xact_lock_shared(hashtext('tollgate.periods')); -- no period is closed under what is being recorded
  -- Looked for once: almost every batch is new usage of the present period and nothing else, and each look at all of it costs.
  select coalesce(bool_or(j.type = 'usage.corrected'), false), coalesce(bool_or(j.type like 'session.%'), false),
    coalesce(bool_or(j.type like 'login.%'), false), coalesce(bool_or(j.reservation_id is not null), false),
    coalesce(bool_or(not j.is_current_period), false), count(*) filter (where j.unpriced_events > 0),
    count(*) filter (where j.after_revocation)
  into has_corrections, has_sessions, has_logins, has_holds, has_other_periods, unpriced, after_revocation
  from unnest(judged) j;

  select * into claimed, probes from tollgate.claim_identities(judged);
  fresh := judged;
  outcomes := '[]';
  if cardinality(claimed) < cardinality(judged) then
    fresh := tollgate.pick_events(judged, claimed);
    outcomes := tollgate.list_outcomes(judged, fresh);
    select count(*) filter (where f.unpriced_events > 0), count(*) filter (where f.after_revocation)
    into unpriced, after_revocation from unnest(fresh) f;
  end if;
  if has_other_periods then -- the present period is never closed
    fresh := tollgate.post_to_open_periods(fresh);
  end if;
  perform tollgate.append_ledger(fresh);
  entries := fresh;
  if has_corrections or exists (select from tollgate.pending_corrections) then
    select * into corrected, taken from tollgate.apply_corrections(judged, fresh, probes);
    corrected := tollgate.post_to_open_periods(corrected);
    perform tollgate.append_ledger(corrected);
    entries := fresh || corrected;
  end if;
  if has_other_periods or cardinality(corrected) > 0 then -- no day of the present period is folded
    perform tollgate.unfold_months(
      array(select e.organization_id from unnest(entries) e), array(select e.usage_date from unnest(entries) e));
  end if;
  perform tollgate.roll_up_days(entries);
  if has_sessions then
    said := array(select j from unnest(judged) j where j.type like 'session.%' and j.rejection is null);
  end if;
  perform tollgate.roll_up_sessions(entries, said);
  if has_logins then
    perform tollgate.record_logins(array(
      select j from unnest(judged) j where j.type like 'login.%' and j.rejection is null));
  end if;
  holds := '{"settled": 0, "late": 0, "excess_tokens": 0}';
  if has_holds then
    holds := tollgate.settle_reservations(judged, fresh);
  end if;
  perform tollgate.roll_up_organization_models(entries);
  if tollgate.limits_users() then
    with_due_users := tollgate.mark_due_users(
      array(select e.organization_id from unnest(entries) e), array(select e.user_id from unnest(entries) e));
  end if;
  totals := tollgate.add_period_totals(entries, with_due_users);
  if has_corrections then
    outcomes := outcomes || tollgate.list_correction_outcomes(judged, taken);
  end if;
  return next;
end
$$;

revoke execute on function public.ingest_usage from public, anon, authenticated;
grant execute on function public.ingest_usage to tollgate_usage_worker, service_role;

-- schemas/40-functions/is_due_hold.sql
-- Purpose: whether an open hold's lease has run out. Parameters: state, expires_at. Returns: boolean.
-- Invariant: a hold whose usage is on disk (committing) outlives its lease. Only when the usage has not been recorded for a
--   day, because its inbox row became a dead letter, the hold is given back: replayed, it counts as a late settlement.
create function tollgate.is_due_hold(state text, expires_at timestamptz) returns boolean
language sql stable parallel safe
return expires_at <= now() - case state when 'held' then interval '0' when 'committing' then interval '1 day' end;

grant execute on function tollgate.is_due_hold
  to tollgate_token_api, tollgate_usage_worker, tollgate_quota_enforcer, service_role;

-- schemas/40-functions/judge_events.sql
-- Purpose: turn a batch of accepted events into typed rows: identity, membership where the API could not check it,
--   time against arrival (35 days late, 5 minutes early), day and period in the organization's time zone, price in force
--   at the event's time, charge with the organization's markup, usage of a revoked organization.
-- Parameters: batch = { "rows": text, "events": [AcceptedEvent, …] } (packages/shared/src/contracts/{usage-rows,events}.ts), of which
--   one may be absent. Rows are usage: a usage_row a line, a third of the work of reading objects.
-- Returns: one row an event, numbered from 1, those of rows first. `rejection` is null or a rejection reason.
-- Invariant: an unknown price gives NULL, never zero. A charge is rounded here, once, half up at 12 decimals; a cost is
--   exact without. Usage after a revocation is flagged, never dropped. Reads only.
create function tollgate.judge_events(batch jsonb) returns setof tollgate.judged_event
language sql stable security invoker set search_path = ''
set enable_nestloop = off -- the planner cannot know how many events a batch has; tables are reached by subqueries alone
as $$
  with event as materialized (
    select 'usage.recorded' as type, r.*, null::jsonb as metadata, null::uuid as login_session_id,
      null::timestamptz as expires_at, null as reason, null::boolean as imported, null::jsonb as corrects,
      null::integer as revision, coalesce(r.provider, '') as provider_key
    from unnest(string_to_array(batch ->> 'rows', E'\n')::tollgate.usage_row[]) with ordinality r
    union all
    select e.type, e.source, e.id, e."time", e.received_at, e.member, e.organization_id, e.user_id, e.session_id,
      e.message_id, e.provider, e.model, e.input_tokens, e.output_tokens, e.cache_read_input_tokens,
      e.cache_creation_input_tokens, e.reasoning_output_tokens, e.message_count, e.reservation_id,
      e.ordinality + (select coalesce(cardinality(string_to_array(batch ->> 'rows', E'\n')), 0)),
      e.metadata, e.login_session_id, e.expires_at, e.reason, e.imported, e.corrects, e.revision, coalesce(e.provider, '')
    from rows from (
      jsonb_to_recordset(batch -> 'events') as (
        type text, organization_id uuid, source text, id text, "time" timestamptz, received_at timestamptz,
        member boolean, user_id uuid, session_id text, message_id text, provider text, model text,
        input_tokens bigint, output_tokens bigint, cache_read_input_tokens bigint,
        cache_creation_input_tokens bigint, reasoning_output_tokens bigint, message_count integer,
        metadata jsonb, login_session_id uuid, expires_at timestamptz, reason text, imported boolean,
        corrects jsonb, revision integer, reservation_id uuid)
    ) with ordinality e
  ), zone as materialized (
    -- As markup_percent, revoked_times and schedules_of, which would cost more than all else here where a batch has many
    -- organizations.
    select d.organization_id,
      1 + coalesce((select m.markup_percent from tollgate.markups m where m.organization_id = d.organization_id
        order by m.rank limit 1), 0) / 100 as charge_factor,
      (select range_agg(r.revoked) from tollgate.revocations r where r.organization_id = d.organization_id) as revoked,
      coalesce((
          select array_agg(h) from tollgate.period_schedules h where h.organization_id = d.organization_id),
        array[(d.organization_id, '-infinity', 'infinity', 'UTC', 1, '-infinity')::tollgate.period_schedules]) as schedules
    from (select distinct e.organization_id from event e) d
  ), schedule as materialized (
    select h.*, z.charge_factor, z.revoked, n.current_period_start, n.current_period_end
    from zone z
    cross join lateral (
      select tollgate.scheduled_start(now(), c) as current_period_start, tollgate.scheduled_end(now(), c) as current_period_end
      from unnest(z.schedules) c where c.valid_from <= now() and now() < c.valid_to) n
    cross join lateral unnest(z.schedules) h
  ), candidate as materialized (
    select n.provider_key, n.model as reported_model, p.*
    from (
      select d.*, array(select p from tollgate.model_prices p
        where p.provider = tollgate.priced_provider(d.provider) and p.model = d.model) as own
      from (select distinct e.provider, e.provider_key, e.model from event e where e.type = 'usage.recorded') d
      offset 0) n
    -- Found by the provider's exact name, as almost all are, resolve_model would find the same and take longer than all else
    -- of a small batch.
    cross join lateral unnest(case when cardinality(n.own) > 0 then n.own else array(
      select p from tollgate.resolve_model(n.provider, n.model) r
      join tollgate.model_prices p on p.provider = r.provider and p.model = r.model) end) p
  ), price as materialized (
    select distinct on (e.ordinality)
      e.ordinality, c.id,
      tollgate.cost_usd(c.input_usd_per_mtok, c.output_usd_per_mtok, c.cache_read_usd_per_mtok,
        c.cache_creation_usd_per_mtok, c.reasoning_usd_per_mtok, e.input_tokens, e.output_tokens,
        e.cache_read_input_tokens, e.cache_creation_input_tokens, e.reasoning_output_tokens) as cost_usd
    from event e
    join candidate c on c.reported_model = e.model and c.provider_key = e.provider_key
      and e.time >= c.valid_from and e.time < c.valid_to and e.input_tokens >= c.min_input_tokens
    order by e.ordinality, (c.origin = 'operator') desc, c.min_input_tokens desc, c.valid_from desc
  )
  select
    e.ordinality, e.type, case when e.type = 'usage.recorded' then 'usage' end, coalesce(e.revision, 0),
    e.organization_id,
    -- A correction bears the digest of what it corrects.
    tollgate.identity_digest(coalesce(e.corrects ->> 'source', e.source), coalesce(e.corrects ->> 'id', e.id)),
    -- Only tells a repeat from a contradiction: eight bytes without a detour through text are enough.
    int8send(hash_record_extended(row(e.user_id, e.session_id, e.model, e.input_tokens, e.output_tokens,
      e.cache_read_input_tokens, e.cache_creation_input_tokens, e.reasoning_output_tokens, e.message_count), 0)),
    e.source, e.id, e.time, e.received_at, coalesce(e.imported, false), coalesce(e.time <@ h.revoked, false),
    e.user_id, e.session_id, e.message_id, e.provider, e.model,
    e.input_tokens, e.output_tokens, e.cache_read_input_tokens, e.cache_creation_input_tokens,
    e.reasoning_output_tokens, e.input_tokens + e.output_tokens, e.message_count,
    1, (p.id is null)::integer, e.metadata, e.login_session_id, e.expires_at, e.reason,
    (e.time at time zone h.time_zone)::date,
    case
      -- Most usage is of the present period: the calendar need not be asked for each event.
      when e.time >= h.current_period_start and e.time < h.current_period_end then h.current_period_start
      when e.time < h.first_end then h.valid_from
      else tollgate.period_start(e.time, h.time_zone, h.anchor_day)
    end,
    null::timestamptz, e.time >= h.current_period_start and e.time < h.current_period_end,
    p.id, p.cost_usd, round(p.cost_usd * h.charge_factor, 12),
    case
      when e.time > e.received_at + interval '5 minutes' then 'too_early'
      when e.time < e.received_at - interval '35 days' and e.imported is not true and e.type <> 'usage.corrected'
        then 'too_late'
      when not e.member then tollgate.membership_fault(e.organization_id, e.user_id, e.type <> 'usage.corrected')
    end,
    e.reservation_id
  from event e
  join schedule h on h.organization_id = e.organization_id and e.time >= h.valid_from and e.time < h.valid_to
  left join price p on p.ordinality = e.ordinality
$$;

grant execute on function tollgate.judge_events to tollgate_usage_worker, service_role;

-- schemas/40-functions/limit_after_restore.sql
-- Purpose: how far holds may go after access was restored by hand: steps that were reached by then have no effect.
-- Parameters: limit_tokens (null: unlimited), granted_tokens (part of it: absolute steps lie that much higher), policy (null:
--   the default ladder), forgiven_tokens (what was used then). Returns: the limit while it was not reached, else the next step
--   that revokes, else null: none. Reads only.
create function tollgate.limit_after_restore(
  limit_tokens bigint, granted_tokens bigint, policy jsonb, forgiven_tokens bigint) returns bigint
language sql immutable parallel safe security invoker set search_path = ''
as $$
  select case when forgiven_tokens < limit_tokens then limit_tokens else (
    select min(s.at_tokens)
    from (
      select coalesce((step ->> 'at_tokens')::bigint + granted_tokens,
        ceil((step ->> 'at_percent')::numeric * limit_tokens / 100)::bigint) as at_tokens
      from jsonb_array_elements(coalesce(policy -> 'steps', tollgate.default_steps())) step
      where step ->> 'state' = 'revoked' and step ->> 'mode' is distinct from 'soft') s
    where limit_tokens is not null and s.at_tokens > forgiven_tokens) end
$$;

grant execute on function tollgate.limit_after_restore to tollgate_token_api, service_role;

-- schemas/40-functions/list_audit.sql
-- Purpose: read the audit trail, newest first. Parameters: query = { organization_id (absent: all), action, actor, target
--   (absent: any), before (id as text, absent: from the newest), max_rows }. Returns: a row an entry. Reads only.
create function public.list_audit(query jsonb)
returns table (id text, at timestamptz, actor text, action text, target text, organization_id uuid, details jsonb)
language plpgsql stable security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
begin
  select * into asked from jsonb_to_record(tollgate.unwrap(query)) as q (
    organization_id uuid, action text, actor text, target text, before bigint, max_rows integer);
  return query
    select l.id::text, l.at, l.actor, l.action, l.target, l.organization_id, l.details
    from tollgate.audit_log l
    where (asked.organization_id is null or l.organization_id = asked.organization_id)
      and (asked.action is null or l.action = asked.action)
      and (asked.actor is null or l.actor = asked.actor)
      and (asked.target is null or l.target = asked.target)
      and (asked.before is null or l.id < asked.before)
    order by l.id desc
    limit asked.max_rows;
end
$$;

revoke execute on function public.list_audit from public, anon, authenticated;
grant execute on function public.list_audit to tollgate_token_api, service_role;

-- schemas/40-functions/list_correction_outcomes.sql
-- Purpose: say which corrections of a batch changed nothing. Parameters: judged (all events), taken: ordinals of those that
--   did or wait now. Returns: jsonb array of { i (0-based), outcome: duplicate, conflict } or { i, outcome: rejected, reason }.
-- Invariant: a revision that comes again with other counts is a conflict; one that a higher revision has overtaken is none.
--   What counted and has no entry any more lies in a sealed month: what held of it is not known, so nothing can be reversed.
create function tollgate.list_correction_outcomes(judged tollgate.judged_event[], taken bigint[]) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object('i', j.ordinal - 1) || case when exists (
    select from tollgate.usage_event_identities i
    where i.organization_id = j.organization_id and i.digest = j.digest
      and not exists (select from tollgate.standing_entries(i.organization_id, i.digest, i.seen_at)))
  then '{"outcome": "rejected", "reason": "month_sealed"}'::jsonb
  else jsonb_build_object('outcome', 'duplicate', 'conflict', exists (
    select from (
      select e.input_tokens, e.output_tokens, e.cache_read_input_tokens, e.cache_creation_input_tokens,
        e.reasoning_output_tokens, e.message_count
      from tollgate.usage_events e
      where e.organization_id = j.organization_id and e.digest = j.digest and e.entry <> 'usage'
        and e.entry = 'replacement' and e.revision = j.revision
      union all
      select p.input_tokens, p.output_tokens, p.cache_read_input_tokens, p.cache_creation_input_tokens,
        p.reasoning_output_tokens, coalesce(p.message_count, j.message_count)
      from tollgate.pending_corrections p
      where p.organization_id = j.organization_id and p.digest = j.digest and p.revision = j.revision
    ) known
    where (known.input_tokens, known.output_tokens, known.cache_read_input_tokens, known.cache_creation_input_tokens,
        known.reasoning_output_tokens, coalesce(known.message_count, j.message_count, 0))
      <> (j.input_tokens, j.output_tokens, j.cache_read_input_tokens, j.cache_creation_input_tokens,
        j.reasoning_output_tokens, coalesce(j.message_count, known.message_count, 0)))) end order by j.ordinal), '[]')
  from unnest(judged) j
  where j.type = 'usage.corrected' and j.rejection is null and j.ordinal <> all (taken)
$$;

grant execute on function tollgate.list_correction_outcomes to tollgate_usage_worker, service_role;

-- schemas/40-functions/list_dead_letters.sql
-- Purpose: show what could not be recorded. Parameters: selection (see select_dead_letters), max_rows.
-- Returns: a row a letter, newest first: id as text, events (null when unreadable) and what is kept of it. Reads only.
create function public.list_dead_letters(selection jsonb, max_rows integer)
returns table (id text, queue text, reason text, detail text, created_at timestamptz, events integer, payload text)
language sql stable security invoker set search_path = ''
as $$
  select d.id::text, d.queue, d.reason, d.detail, d.created_at,
    jsonb_array_length(tollgate.read_dead_letter(d.payload)), d.payload
  from tollgate.dead_letters d
  where d.id in (select tollgate.select_dead_letters(tollgate.unwrap(selection)))
  order by d.id desc
  limit max_rows
$$;

revoke execute on function public.list_dead_letters from public, anon, authenticated;
grant execute on function public.list_dead_letters to service_role;

-- schemas/40-functions/list_decisions.sql
-- Purpose: the decisions of an organization and its users, newest first.
-- Parameters: query = { organization_id, id? (one alone), user_id? (that user's alone), before? (seq as text), max_rows }.
-- Returns: a row a decision; effective_at null = as it was decided. Reads only.
create function public.list_decisions(query jsonb)
returns table (
  id uuid, seq text, user_id uuid, kind text, decided_at timestamptz, effective_at timestamptz, from_state text, to_state text,
  version text, reason text, observed jsonb, actor text, inputs jsonb)
language plpgsql stable security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
begin
  select * into asked from jsonb_to_record(tollgate.unwrap(query)) as q (
    organization_id uuid, id uuid, user_id uuid, before bigint, max_rows integer);
  return query
    select d.id, d.seq::text, d.user_id, d.kind, d.decided_at, d.effective_at, d.from_state, d.to_state, d.version::text,
      d.reason, d.observed, d.actor, d.inputs
    from tollgate.quota_decisions d
    where d.organization_id = asked.organization_id
      and (asked.id is null or d.id = asked.id)
      and (asked.user_id is null or d.user_id = asked.user_id)
      and (asked.before is null or d.seq < asked.before)
    order by d.seq desc
    limit asked.max_rows;
end
$$;

revoke execute on function public.list_decisions from public, anon, authenticated;
grant execute on function public.list_decisions to tollgate_token_api, service_role;

-- schemas/40-functions/list_due_evaluations.sql
-- Purpose: whether a step of a ladder is reached by whoever has used nothing. Parameters: policy (null: the default one).
-- Returns: boolean; of a ladder that cannot be read false, since the default one holds. Reads nothing.
create function tollgate.acts_unused(policy jsonb) returns boolean
language sql immutable parallel safe
return coalesce(policy ->> 'max_cost_usd' ~ '^0+([.]0+)?$', false) or coalesce(
  jsonb_path_exists(policy, '$.steps[*] ? (@.at_tokens == 0 || @.at_usd like_regex "^0+([.]0+)?$")'), false);

-- Purpose: organizations that must be evaluated though nobody announced them: a wake-up was lost, the period, a grant, a
--   grace or a manual act ended, or limit, ladder or schedule changed; for themselves or for one of their users.
-- Parameters: max_rows, at (default: the database's present), after (organization id, exclusive; null: from the first).
-- Returns: a row an organization, by id, so that a sweep that goes on from the last one is fair to all of them:
--   organization_id, reason.
-- Invariant: what needs no evaluation is not listed, so that a sweep is cheap: it looks at each organization, and of users at those
--   that are due alone (but for a default of 0: at which members have no row yet). Reads only.
create function public.list_due_evaluations(max_rows integer, at timestamptz default now(), after uuid default null)
returns table (organization_id uuid, reason text)
language sql stable security invoker set search_path = ''
as $$
  with recursive with_users as ( -- organizations with states of users, each found by one look into an index
    (select s.organization_id from tollgate.user_enforcement_states s order by s.organization_id limit 1)
    union all
    select (select s.organization_id from tollgate.user_enforcement_states s
      where s.organization_id > w.organization_id order by s.organization_id limit 1)
    from with_users w where w.organization_id is not null
  ), of_users as materialized (
    select q.organization_id from tollgate.user_quotas q where q.is_due
    union
    select s.organization_id from tollgate.user_enforcement_states s where s.wakes_at <= at and s.wakes_at < 'infinity'
    union
    select f.organization_id from tollgate.user_quota_defaults f
    where f.is_limiting and (not f.is_enrolled or f.max_tokens = 0) and tollgate.must_enroll(f)
  )
  select i.organization_id,
    case when s.period_end <= at then 'period' when s.inputs_key <> i.inputs_key then 'limit_changed'
      when s.due_at <= at or i.grants_due then 'time' else 'sweep' end
  from tollgate.quota_inputs_at(at) i
  left join tollgate.enforcement_states s on s.organization_id = i.organization_id
  left join tollgate.period_totals t
    on t.organization_id = i.organization_id and t.period_start = i.period_start
  left join tollgate.user_quota_defaults f on f.organization_id = i.organization_id
  left join with_users w on w.organization_id = i.organization_id
  cross join lateral (
    select case when w.organization_id is not null
      then tollgate.shared_user_key(i.time_zone, i.reduced_configs, i.mode, f.version) end as shared_key) k
  where (after is null or i.organization_id > after)
    and (s.period_end <= at or s.due_at <= at or s.inputs_key <> i.inputs_key or t.is_due or i.grants_due
      -- Nothing may be used, or somebody ordered something: do not wait for a first event.
      or (s.organization_id is null and (i.limit_tokens = 0 or i.manual_act is not null or i.granted_tokens > 0
        or tollgate.acts_unused(i.policy)))
      or i.organization_id in (select u.organization_id from of_users u)
      -- The ends of an index: whoever is left behind stands at one of them.
      or case when w.organization_id is not null then
        (select u.shared_key from tollgate.user_enforcement_states u
          where u.organization_id = i.organization_id order by u.shared_key limit 1) <> k.shared_key
        or (select u.shared_key from tollgate.user_enforcement_states u
          where u.organization_id = i.organization_id order by u.shared_key desc limit 1) <> k.shared_key end)
  order by i.organization_id
  limit max_rows
$$;

-- Purpose: how long nothing will be due by time alone. Parameters: at (default: the database's present).
-- Returns: one row: wait_ms to the next end of a period, grant, grace or manual act, by the database's clock; null: none.
-- Reads only.
create function public.next_due_evaluation(at timestamptz default now()) returns table (wait_ms double precision)
language sql stable security invoker set search_path = ''
as $$
  select extract(epoch from least(
    (select min(least(s.period_end, s.due_at)) from tollgate.enforcement_states s where least(s.period_end, s.due_at) > at),
    (select min(u.wakes_at) from tollgate.user_enforcement_states u where u.wakes_at > at and u.wakes_at < 'infinity')) - at
  )::double precision * 1000
$$;

revoke execute on function public.list_due_evaluations, public.next_due_evaluation from public, anon, authenticated;
grant execute on function tollgate.acts_unused to tollgate_quota_enforcer, service_role;
grant execute on function public.list_due_evaluations, public.next_due_evaluation to tollgate_quota_enforcer, service_role;

-- schemas/40-functions/list_enforcement.sql
-- Purpose: every enforcement state that a gate must know: the truth that Redis holds a copy of.
-- Parameters: none. Returns: a row an organization that was ever decided upon, and a row a user that was ever refused
--   anything (user_id null: the organization itself). Reads only.
create function public.list_enforcement()
returns table (
  organization_id uuid, user_id uuid, state text, version text, revision text, reason text, decision_id uuid,
  period_end timestamptz, lapses boolean, reduced_config jsonb, epoch text)
language sql stable security invoker set search_path = ''
as $$
  select s.organization_id, null::uuid, s.state, s.version::text, s.revision::text, s.reason, s.decision_id, s.period_end, s.lapses,
    s.reduced_config, c.epoch::text
  from tollgate.enforcement_states s cross join tollgate.enforcement_control c
  union all
  select u.organization_id, u.user_id, u.state, u.version::text, u.revision::text, u.reason, u.decision_id, u.period_end, u.lapses,
    u.reduced_config, c.epoch::text
  from tollgate.user_enforcement_states u cross join tollgate.enforcement_control c
  where u.version > 0
$$;

-- Purpose: what holds for the whole installation. Parameters: none. Returns: one row: paused, mode, epoch, version_floor,
--   revision, decision_id, last_revision (the highest that was ever given out). Reads only.
create function public.load_enforcement_control()
returns table (
  paused boolean, mode text, epoch text, version_floor text, revision text, decision_id uuid, last_revision text)
language sql stable security invoker set search_path = ''
as $$
  select c.paused, c.mode, c.epoch::text, c.version_floor::text, c.revision::text, c.decision_id, q.last_value::text
  from tollgate.enforcement_control c cross join tollgate.enforcement_revision q
$$;

revoke execute on function public.list_enforcement, public.load_enforcement_control from public, anon, authenticated;
grant execute on function public.list_enforcement, public.load_enforcement_control
  to tollgate_token_api, tollgate_quota_enforcer, service_role;

-- schemas/40-functions/list_logins.sql
-- Purpose: login sessions of a user (the device list), or one by its id. Parameters: wanted = { user_id? , session_id? }.
-- Returns: a row a session, newest use first, at most 200 open ones of a user; by id also one that has ended. Reads only.
create function public.list_logins(wanted jsonb)
returns table (
  id uuid, organization_id uuid, user_id uuid, kind text, user_agent text, started_at timestamptz,
  last_used_at timestamptz, expires_at timestamptz, ended_at timestamptz, end_reason text, refresh_hash text,
  refresh_expires_at timestamptz, ends_at timestamptz)
language sql stable security invoker set search_path = ''
as $$
  select s.id, s.organization_id, s.user_id, s.kind, s.user_agent, s.started_at, s.last_used_at, s.expires_at,
    s.ended_at, s.end_reason, encode(s.refresh_hash, 'hex'), s.refresh_expires_at, s.ends_at
  from (select tollgate.unwrap(wanted) as value) w
  join tollgate.login_sessions s on s.id = (w.value ->> 'session_id')::uuid
    or (s.user_id = (w.value ->> 'user_id')::uuid and s.ended_at is null and s.expires_at > now())
  order by s.last_used_at desc nulls last, s.id
  limit 200
$$;

revoke execute on function public.list_logins from public, anon, authenticated;
grant execute on function public.list_logins to tollgate_token_api, service_role;

-- schemas/40-functions/list_outcomes.sql
-- Purpose: say which events of a batch were not simply recorded, and why.
-- Parameters: judged (all events), fresh (those that were claimed).
-- Returns: jsonb array of { i (0-based), outcome: duplicate | rejected, conflict?, reason? }, in order.
-- Invariant: a duplicate whose user, session, model or counts differ from what was counted is a conflict;
--   another time alone is none.
create function tollgate.list_outcomes(judged tollgate.judged_event[], fresh tollgate.judged_event[]) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select coalesce(jsonb_agg(o.outcome order by o.outcome -> 'i'), '[]')
  from (
    select jsonb_build_object('i', j.ordinal - 1, 'outcome', 'rejected', 'reason', j.rejection) as outcome
    from unnest(judged) j where j.rejection is not null
    union all
    select jsonb_build_object('i', j.ordinal - 1, 'outcome', 'duplicate', 'conflict', i.counts_digest <> j.counts_digest)
    from unnest(judged) j
    join tollgate.usage_event_identities i on i.organization_id = j.organization_id and i.digest = j.digest
    where j.type = 'usage.recorded' and j.rejection is null
      and cardinality(fresh) < cardinality(judged)
      and not exists (select from unnest(fresh) f where f.ordinal = j.ordinal)
  ) o
$$;

grant execute on function tollgate.list_outcomes to tollgate_usage_worker, service_role;

-- schemas/40-functions/list_positions.sql
-- Purpose: where organizations stand, for the copy that the gates show. Parameters: query = { organizations: [id, …] } or
--   { after: id (null: from the first), max_rows }, in the order of their ids.
-- Returns: a row an organization; limit_tokens null = unlimited; evaluate_at: the total at which a decision could change next
--   (null: none). Reads only, all rows of one instant (as_of).
create function public.list_positions(query jsonb)
returns table (
  organization_id uuid, limit_tokens text, used_tokens text, reserved_tokens text, period_start timestamptz,
  period_end timestamptz, evaluate_at text, as_of timestamptz)
language plpgsql stable security invoker set search_path = '' set jit = off
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(query);
  ids uuid[] := case
    when asked ? 'organizations' then array(select e.id::uuid from jsonb_array_elements_text(asked -> 'organizations') e (id))
    else array(
      select o.organization_id from tollgate.directory_organizations o
      where asked ->> 'after' is null or o.organization_id > (asked ->> 'after')::uuid
      order by o.organization_id limit (asked ->> 'max_rows')::integer) end;
begin
  return query
    select p.organization_id, p.limit_tokens::text, p.used_tokens::text, p.reserved_tokens::text, p.period_start,
      p.period_end, p.evaluate_at::text, statement_timestamp()
    from tollgate.positions_of(ids) p order by p.organization_id;
end
$$;

revoke execute on function public.list_positions from public, anon, authenticated;
grant execute on function public.list_positions to tollgate_token_api, tollgate_quota_enforcer, service_role;

-- schemas/40-functions/list_rerate_days.sql
-- Purpose: which days of which organizations a re-rate has to go through. Parameters: from_date, to_date (both included),
--   only_model (null: all), only_organization (null: all).
-- Returns: a row an organization and day: organization_id, date, entries (how many of the ledger). Reads only.
create function public.list_rerate_days(
  from_date date, to_date date, only_model text default null, only_organization uuid default null)
returns table (organization_id uuid, date date, entries integer)
language sql stable security invoker set search_path = ''
as $$
  select e.organization_id, e.usage_date, count(*)::integer
  from tollgate.usage_events e
  where e.usage_date between from_date and to_date and (only_model is null or e.model = only_model)
    and (only_organization is null or e.organization_id = only_organization) and e.entry <> 'opening_balance'
  group by e.organization_id, e.usage_date
  order by e.organization_id, e.usage_date
$$;

revoke execute on function public.list_rerate_days from public, anon, authenticated;
grant execute on function public.list_rerate_days to service_role;

-- schemas/40-functions/list_revocations.sql
-- Purpose: every revocation that a gate must know: the truth that Redis holds a copy of. Parameters: none.
-- Returns: a row a token (jti) or login session (sid): kind, id, expires_at (seconds since the epoch). Reads only.
create function public.list_revocations() returns table (kind text, id uuid, expires_at text)
language sql stable security invoker set search_path = ''
as $$
  select r.kind, r.id, extract(epoch from r.expires_at)::bigint::text
  from tollgate.token_revocations r where r.expires_at > now()
$$;

revoke execute on function public.list_revocations from public, anon, authenticated;
grant execute on function public.list_revocations to tollgate_token_api, service_role;

-- schemas/40-functions/list_service_keys.sql
-- Purpose: the keys, newest first. Parameters: query = { organization_id (absent: all, the operator's too), id (absent: any) }.
-- Returns: a row a key, revoked and expired ones included, 1,000 at most. Reads only.
create function public.list_service_keys(query jsonb) returns setof tollgate.service_key_view
language sql stable security invoker set search_path = ''
as $$
  select v.*
  from tollgate.service_key_view v,
    jsonb_to_record(tollgate.unwrap(query)) as asked (organization_id uuid, id uuid)
  where (asked.organization_id is null or v.organization_id = asked.organization_id)
    and (asked.id is null or v.id = asked.id)
  order by v.created_at desc, v.id
  limit 1000
$$;

revoke execute on function public.list_service_keys from public, anon, authenticated;
grant execute on function public.list_service_keys to tollgate_token_api, service_role;

-- schemas/40-functions/load_past.sql
-- Purpose: what bore on an organization's quota beside its usage, for a simulation. Parameters: query = { organization_id, from, to
--   (instants) }. Returns: one row: past = { mode (present), periods (boundaries, the first at or before `from`, the last after
--   `to`), grants (with what they had left at `from`, in the order in which they were given), acts (ordered by hand up to `to`, of the organization and of
--   users, oldest first), users (present limits of their own), user_default (null: none) }; amounts are text. Reads only.
create function public.load_past(query jsonb) returns table (past jsonb)
language sql stable security invoker set search_path = ''
as $$
  with recursive asked as (
    select * from jsonb_to_record(tollgate.unwrap(query)) as q (organization_id uuid, "from" timestamptz, "to" timestamptz)
  ), period as (
    select p.period_start, p.period_end from asked a
    cross join lateral tollgate.organization_period(a.organization_id, a."from") p
    union all
    select n.period_start, n.period_end from period p cross join asked a
    cross join lateral tollgate.organization_period(a.organization_id, p.period_end) n
    where p.period_end <= a."to"
  )
  select jsonb_build_object(
    'mode', (select coalesce(s.enforcement_mode, c.mode) from tollgate.enforcement_control c
      left join tollgate.organization_settings s on s.organization_id = a.organization_id),
    'periods', (select jsonb_agg(b.at order by b.at) from (
      select p.period_start as at from period p union select max(p.period_end) from period p) b),
    'grants', (select coalesce(jsonb_agg(jsonb_build_object('amount', l.amount::text, 'priority', g.priority,
        'at', g.created_at, 'expires_at', g.expires_at, 'voided_at', g.voided_at) order by g.created_at, g.id), '[]')
      from tollgate.grants g
      cross join lateral (
        select g.amount_tokens - coalesce(sum(s.spent_tokens), 0) as amount from tollgate.grant_spending s
        where s.grant_id = g.id and s.period_start < (select min(p.period_start) from period p)) l
      where g.organization_id = a.organization_id and l.amount > 0),
    'acts', (select coalesce(jsonb_agg(jsonb_build_object('user_id', d.user_id, 'at', d.decided_at, 'until', d.inputs -> 'until',
        'action', d.inputs ->> 'action') order by d.seq), '[]')
      from tollgate.quota_decisions d
      where d.organization_id = a.organization_id and d.kind = 'act' and d.inputs ? 'action' and d.decided_at <= a."to"),
    'users', (select coalesce(jsonb_agg(jsonb_build_object('user_id', u.user_id, 'limit', u.max_tokens::text, 'policy', u.policy)
        order by u.user_id), '[]')
      from tollgate.user_quotas u where u.organization_id = a.organization_id and u.is_own),
    'user_default', (select jsonb_build_object('limit', f.max_tokens::text, 'policy', f.policy)
      from tollgate.user_quota_defaults f where f.organization_id = a.organization_id and f.is_limiting))
  from asked a
$$;

revoke execute on function public.load_past from public, anon, authenticated;
grant execute on function public.load_past to service_role;

-- schemas/40-functions/load_quota_position.sql
-- Purpose: all that a quota decision needs, and all that a quota report shows, read in one statement.
-- Parameters: for_organization, at (default: the database's present). Returns: no row for an unknown organization, else one;
--   amounts are of the current period, LLM tokens and US dollars as text; limit_tokens null = unlimited, grants included;
--   state columns null or defaults where none was decided yet, and where what was decided has lapsed with its period; has_user_limits: load_user_positions may
--   have rows; users_to_enroll, for enroll_users: all (a default was set), joined (it is 0, so that whoever joins falls under
--   it: perhaps nobody), none.
-- Invariant: the period is the one that holds `at` under the organization's schedule. Reads only.
create function public.load_quota_position(for_organization uuid, at timestamptz default now())
returns table (
  organization_id uuid, time_zone text, period_start timestamptz, period_end timestamptz, limit_tokens text,
  base_limit_tokens text, granted_tokens text, policy jsonb, policy_version text, reduced_configs jsonb, mode text,
  manual_act jsonb, grants_due boolean, next_expiry timestamptz, inputs_key text, used_tokens text, reserved_tokens text,
  cost_usd text, unpriced_events text, counted_at timestamptz, state text, version text, revision text, reason text,
  decision_id uuid, state_period_start timestamptz, reduced_config jsonb, observed jsonb, reached jsonb, has_user_limits boolean, users_to_enroll text,
  as_of timestamptz)
language sql stable security invoker set search_path = ''
as $$
  select i.organization_id, i.time_zone, i.period_start, i.period_end, i.limit_tokens::text, i.base_limit_tokens::text,
    i.granted_tokens::text, i.policy, i.policy_version::text, i.reduced_configs, i.mode, i.manual_act, i.grants_due, i.next_expiry,
    i.inputs_key, coalesce(t.used_tokens, 0)::text,
    tollgate.open_reserved(i.organization_id)::text, coalesce(t.cost_usd, 0)::text, coalesce(t.unpriced_events, 0)::text,
    t.updated_at, tollgate.state_at(s.state, s.lapses, s.period_end, at),
    coalesce(s.version, c.version_floor)::text, s.revision::text, case when not e.is_over then s.reason end,
    case when not e.is_over then s.decision_id end, s.period_start, case when not e.is_over then s.reduced_config end,
    case when not e.is_over then s.observed end, case when s.period_start >= i.period_start then s.reached else '{}' end,
    -- With a limit, or all rows of everybody would be hashed.
    f.is_limiting is true or (select true from tollgate.user_quotas u where u.organization_id = i.organization_id limit 1) is true,
    case when f.is_limiting is not true then 'none' when not f.is_enrolled then 'all' when f.max_tokens = 0 then 'joined'
      else 'none' end, at
  from tollgate.quota_inputs_at(at) i
  cross join tollgate.enforcement_control c
  left join tollgate.period_totals t on t.organization_id = i.organization_id and t.period_start = i.period_start
  left join tollgate.enforcement_states s on s.organization_id = i.organization_id
  left join tollgate.user_quota_defaults f on f.organization_id = i.organization_id
  cross join lateral (select tollgate.is_lapsed(s.lapses, s.period_end, at) as is_over) e
  where i.organization_id = for_organization
$$;

revoke execute on function public.load_quota_position from public, anon, authenticated;
grant execute on function public.load_quota_position to tollgate_token_api, tollgate_quota_enforcer, service_role;

-- schemas/40-functions/load_user_positions.sql
-- Purpose: all that decisions on the users of an organization need whose limit must be looked at, a page at a time.
-- Parameters: for_organization, at (default: the database's present), max_rows, after (the cursor of the last row of the page
--   before; null: from the first). Returns: a row a user, in the order of the cursors; fewer than max_rows: these are the last. As
--   load_quota_position; limit and ladder are the user's own, else those of the organization's default for users; policy_version
--   rises with either; usage is that of the period's days; changes: what apply_user_enforcement takes as seen_changes.
-- Reads only.
create function public.load_user_positions(
  for_organization uuid, at timestamptz default now(), max_rows integer default 500, after text default null)
returns table (
  organization_id uuid, user_id uuid, period_start timestamptz, period_end timestamptz, limit_tokens text, policy jsonb,
  policy_version text, reduced_configs jsonb, mode text, manual_act jsonb, inputs_key text, shared_key text, changes text,
  used_tokens text, reserved_tokens text, cost_usd text, counted_at timestamptz, state text, version text, revision text,
  reached jsonb, from_date text, to_date text, as_of timestamptz,
  cursor text)
language sql stable security invoker set search_path = ''
as $$
  select i.organization_id, d.user_id, i.period_start, i.period_end,
    case when q.is_own then q.max_tokens else f.max_tokens end::text, coalesce(q.policy, f.policy),
    (coalesce(q.version, 0) + coalesce(f.version, 0))::text, i.reduced_configs, i.mode, a.manual_act,
    tollgate.user_inputs_key(i.period_end, q.version, k.shared_key, a.manual_act ->> 'decision_id'),
    k.shared_key, (coalesce(q.version, 0) + coalesce(q.changes, 0))::text, m.used_tokens::text,
    e.reserved_tokens::text, m.cost_usd::text, m.counted_at, tollgate.state_at(s.state, s.lapses, s.period_end, at),
    coalesce(s.version, 0)::text, s.revision::text,
    case when s.period_start >= i.period_start then s.reached else '{}' end, b.from_date::text, b.to_date::text, at, d.cursor
  from tollgate.quota_inputs_at(at) i
  left join tollgate.user_quota_defaults f on f.organization_id = i.organization_id
  cross join lateral (
    select tollgate.shared_user_key(i.time_zone, i.reduced_configs, i.mode, f.version) as shared_key) k
  cross join lateral (
    select (i.period_start at time zone i.time_zone)::date as from_date, (i.period_end at time zone i.time_zone)::date as to_date) b
  cross join lateral tollgate.list_due_users(i.organization_id, k.shared_key, at, after, max_rows)
    with ordinality d (user_id, cursor, place)
  left join tollgate.user_quotas q on q.organization_id = i.organization_id and q.user_id = d.user_id
  left join tollgate.user_enforcement_states s on s.organization_id = i.organization_id and s.user_id = d.user_id
  left join tollgate.user_enforcement_overrides v
    on v.organization_id = i.organization_id and v.user_id = d.user_id and (v.until is null or v.until > at)
  cross join lateral (
    select case when v.user_id is not null then jsonb_build_object('act', v.act, 'until', v.until, 'used_tokens',
      v.used_tokens::text, 'cost_usd', v.cost_usd::text, 'actor', v.actor, 'decision_id', v.decision_id) end as manual_act) a
  cross join lateral (
    select coalesce(sum(r.tokens_used), 0)::bigint as used_tokens, coalesce(sum(r.cost_usd), 0) as cost_usd,
      max(r.updated_at) as counted_at
    from public.usage_metrics r
    where r.organization_id = i.organization_id and r.user_id = d.user_id and r.date >= b.from_date and r.date < b.to_date) m
  cross join lateral (
    select coalesce(sum(h.total_tokens), 0) as reserved_tokens from tollgate.reservations h
    where h.organization_id = i.organization_id and h.user_id = d.user_id and h.state in ('held', 'committing')
      and not tollgate.is_due_hold(h.state, h.expires_at)) e
  where i.organization_id = for_organization
  order by d.place
$$;

revoke execute on function public.load_user_positions from public, anon, authenticated;
grant execute on function public.load_user_positions to tollgate_quota_enforcer, service_role;

-- schemas/40-functions/lock_holds.sql
-- Purpose: be alone with the holds of some organizations until the end of the transaction.
-- Parameters: organizations. Returns: nothing.
-- Locks: rows of reserved_totals in the order of organization_id; an organization without a row has no holds.
-- Invariant: what is read in a later statement of the transaction is what the last holder of the lock left.
create function tollgate.lock_holds(organizations uuid[]) returns void
language sql volatile security invoker set search_path = ''
as $$
  select from tollgate.reserved_totals t
  where t.organization_id = any(organizations)
  order by t.organization_id
  for update
$$;

grant execute on function tollgate.lock_holds
  to tollgate_token_api, tollgate_usage_worker, tollgate_quota_enforcer, service_role;

-- schemas/40-functions/login_fault.sql
-- Purpose: why a login session may not go on. Parameters: session. Returns: null when it may, else the reason for its end.
-- Reads only. Invariant: a user who was deleted, has left the organization, has a lower role than a token of the session
--   names (none, and an unknown one, count as lower than any) or has signed out of Supabase gets nothing new.
create function tollgate.login_fault(session tollgate.login_sessions) returns text
language sql stable security invoker set search_path = ''
as $$
  select case
    when m.user_id is null then 'user_deleted'
    when m.organization_id is distinct from session.organization_id then 'organization_changed'
    when tollgate.role_rank(m.role) < tollgate.role_rank(session.role) then 'role_reduced'
    when tollgate.supabase_session_is_gone(session.supabase_session_id, session.user_id) then 'signed_out'
  end
  from (select session.user_id as id) u left join tollgate.directory_members m on m.user_id = u.id
$$;

grant execute on function tollgate.login_fault to tollgate_token_api, service_role;

-- schemas/40-functions/mark_due_users.sql
-- Purpose: whether what a user has used is beyond the outlook of the last decision, or in a period after it: what makes a decision
--   change. Parameters: held. Returns: boolean. Reads only, with the caller's rights.
create function tollgate.is_beyond_outlook(held tollgate.user_quotas) returns boolean
language sql stable security invoker set search_path = ''
as $$
  select coalesce(m.used_tokens >= held.evaluate_at, false) or coalesce(m.used_tokens < held.evaluate_below, false)
    or coalesce(m.cost_usd >= held.evaluate_at_usd, false) or coalesce(m.cost_usd < held.evaluate_below_usd, false) or m.is_later
  from (
    select coalesce(sum(r.tokens_used) filter (where r.date < held.to_date), 0) as used_tokens,
      coalesce(sum(r.cost_usd) filter (where r.date < held.to_date), 0) as cost_usd,
      coalesce(bool_or(r.date >= held.to_date), false) as is_later
    from public.usage_metrics r
    where r.organization_id = held.organization_id and r.user_id = held.user_id and r.date >= held.from_date) m
$$;

-- Purpose: whether anybody has set a limit of users. Parameters: none. Returns: boolean. Reads only, with the caller's rights.
create function tollgate.limits_users() returns boolean
language sql stable security invoker set search_path = ''
as $$
  select exists (select from tollgate.user_quotas)
    or exists (select from tollgate.user_quota_defaults f where f.is_limiting)
$$;

-- Purpose: have users with a limit, an own one or the organization's default for users, looked at whose usage has just changed.
-- Parameters: organizations, users (pairs, in step; any more than once), whatever_is_used (true: also who is not beyond the outlook).
-- Returns: organizations of which a user became due. Called by whoever writes to usage_metrics, after that and in its transaction.
-- Locks: rows of user_quotas, in the order of their key. Invariant: costs nothing where no limit of a user exists. The rows are
--   locked before usage is summed by a statement of its own: whoever lowers the outlook, or adds to the same user's usage,
--   waits and then sees this, or was waited for and is seen. So nobody passes a limit between two who each saw half of it.
create function tollgate.mark_due_users(organizations uuid[], users uuid[], whatever_is_used boolean default false) returns uuid[]
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  held tollgate.user_quotas[];
  met uuid[];
  due uuid[];
begin
  if not tollgate.limits_users() then return '{}'; end if;
  with inserted as (
    -- Who falls under a default and was never looked at. Before the rows are locked: one that somebody else is inserting is waited
    -- for, and then locked and judged like any other.
    -- While some may still be recording who have not seen the default: another day of the same user would pass unseen.
    insert into tollgate.user_quotas (organization_id, user_id, is_own, is_settled, version, updated_by)
    select distinct u.organization_id, u.user_id, false, f.waits_for is not distinct from '{}', 0, 'usage'
    from unnest(organizations, users) u (organization_id, user_id)
    join tollgate.user_quota_defaults f on f.organization_id = u.organization_id and f.is_limiting
    where not exists (
      select from tollgate.user_quotas q where q.organization_id = u.organization_id and q.user_id = u.user_id)
    order by 1, 2
    on conflict do nothing
    returning organization_id
  )
  select array(select i.organization_id from inserted i) into met;
  held := array(
    select q from tollgate.user_quotas q
    where (q.organization_id, q.user_id) in (select u.organization_id, u.user_id from unnest(organizations, users) u (organization_id, user_id))
    order by q.organization_id, q.user_id for no key update);
  with beyond as (
    update tollgate.user_quotas q set changes = q.changes + 1
    from unnest(held) h
    where q.organization_id = h.organization_id and q.user_id = h.user_id
      and (whatever_is_used or tollgate.is_beyond_outlook(q))
    returning q.organization_id
  )
  select array(select b.organization_id from beyond b union select unnest(met)) into due;
  return due;
end
$$;

grant execute on function tollgate.is_beyond_outlook, tollgate.limits_users, tollgate.mark_due_users
  to tollgate_token_api, tollgate_usage_worker, tollgate_quota_enforcer, service_role;

-- schemas/40-functions/markup_percent.sql
-- Purpose: what an organization is billed on top of the provider's cost. Parameters: for_organization.
-- Returns: percent: the organization's own, else its plan's, else 0. Reads only.
create function tollgate.markup_percent(for_organization uuid) returns numeric
language sql stable security invoker
return coalesce(
  (select m.markup_percent from tollgate.markups m where m.organization_id = for_organization order by m.rank limit 1), 0);

grant execute on function tollgate.markup_percent to tollgate_usage_worker, service_role;

-- schemas/40-functions/membership_fault.sql
-- Purpose: why a user's events may not count for an organization. Parameters: for_organization, for_user,
--   names_user (false: the event speaks of no user, only the organization is judged).
-- Returns: null when the user belongs to it, else a rejection reason. Reads only.
create function tollgate.membership_fault(for_organization uuid, for_user uuid, names_user boolean) returns text
language sql stable security invoker set search_path = ''
as $$
  select case
    when not exists (select from tollgate.directory_organizations o where o.organization_id = for_organization)
      then 'unknown_organization'
    when not names_user then null
    when not exists (select from tollgate.directory_members m where m.user_id = for_user) then 'unknown_user'
    when not exists (
      select from tollgate.directory_members m where m.user_id = for_user and m.organization_id = for_organization)
      then 'user_not_in_organization'
  end
$$;

grant execute on function tollgate.membership_fault to tollgate_token_api, tollgate_usage_worker, service_role;

-- schemas/40-functions/my_membership.sql
-- Purpose: organization and role of the signed-in user, for policies. Parameters: none. Returns: a value, or null.
-- Security definer: a policy on profiles could not read profiles; says nothing of anybody but the caller.
create function tollgate.my_organization_id() returns uuid
language sql stable security definer set search_path = ''
as $$ select m.organization_id from tollgate.directory_members m where m.user_id = (select auth.uid()) $$;

create function tollgate.my_role() returns text
language sql stable security definer set search_path = ''
as $$ select m.role from tollgate.directory_members m where m.user_id = (select auth.uid()) $$;

revoke execute on function tollgate.my_organization_id, tollgate.my_role from public;
grant execute on function tollgate.my_organization_id, tollgate.my_role to authenticated;

-- schemas/40-functions/next_slice.sql
-- Purpose: the next day of an organization that has anything to reconcile. Parameters: after_organization, after_date (both
--   null: the first); since (null: any day); only_organization (null: all). Returns: no row at the end, else one. Reads only.
-- Invariant: each step is a look into the beginning of an index, whatever the tables hold.
create function tollgate.next_day(
  after_organization uuid, after_date date, since date default null, only_organization uuid default null)
returns table (organization_id uuid, date date)
language plpgsql stable security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  current uuid := coalesce(after_organization, only_organization);
  above date := coalesce(greatest(after_date, since - 1), '-infinity');
  found_date date;
begin
  loop
    if current is not null then
      found_date := least(
        (select min(e.usage_date) from tollgate.usage_events e where e.organization_id = current and e.usage_date > above),
        (select min(s.date) from tollgate.sealed_days s where s.organization_id = current and s.date > above),
        (select min(m.date) from public.usage_metrics m where m.organization_id = current and m.date > above),
        (select min(b.date) from tollgate.usage_by_model b where b.organization_id = current and b.date > above));
      if found_date is not null then
        return query select current, found_date;
        return;
      end if;
      exit when only_organization is not null;
    end if;
    current := tollgate.next_organization(current);
    exit when current is null;
    above := coalesce(since - 1, '-infinity');
  end loop;
end
$$;

-- Purpose: the next organization in any of the books. Parameters: after (null: the first). Returns: null at the end.
create function tollgate.next_organization(after uuid) returns uuid
language sql stable security invoker set search_path = ''
as $$
  select least(
    (select e.organization_id from tollgate.usage_events e where e.organization_id > f.after
      order by e.organization_id limit 1),
    (select s.organization_id from tollgate.sealed_days s where s.organization_id > f.after
      order by s.organization_id limit 1),
    (select m.organization_id from public.usage_metrics m where m.organization_id > f.after
      order by m.organization_id limit 1),
    (select b.organization_id from tollgate.usage_by_model b where b.organization_id > f.after
      order by b.organization_id limit 1))
  from (select coalesce(next_organization.after, '00000000-0000-0000-0000-000000000000'::uuid) as after) f
$$;

-- Purpose: the next UTC day on which chat sessions of an organization started. Parameters, returns: as next_day.
create function tollgate.next_session_day(
  after_organization uuid, after_date date, since date default null, only_organization uuid default null)
returns table (organization_id uuid, date date)
language plpgsql stable security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  current uuid := coalesce(after_organization, only_organization);
  first_moment timestamptz := coalesce((greatest(after_date + 1, since))::timestamp at time zone 'UTC', '-infinity');
  found_at timestamptz;
begin
  loop
    if current is not null then
      found_at := (select min(s.started_at) from public.chat_sessions s
        where s.organization_id = current and s.started_at >= first_moment);
      if found_at is not null then
        return query select current, (found_at at time zone 'UTC')::date;
        return;
      end if;
      exit when only_organization is not null;
    end if;
    current := (select s.organization_id from public.chat_sessions s
      where s.organization_id > coalesce(current, '00000000-0000-0000-0000-000000000000'::uuid)
      order by s.organization_id limit 1);
    exit when current is null;
    first_moment := coalesce(since::timestamp at time zone 'UTC', '-infinity');
  end loop;
end
$$;

grant execute on function tollgate.next_day, tollgate.next_organization, tollgate.next_session_day
  to tollgate_usage_worker, service_role;

-- Purpose: the next slice of a stage of reconcile_books. Parameters: stage; after_organization and after_at (null: from the
--   beginning), since, only_organization. Returns: no row at the end, else one, with a day or a period's start as text.
create function tollgate.next_slice(
  stage text, after_organization uuid, after_at text, since date, only_organization uuid)
returns table (organization_id uuid, at text)
language plpgsql stable security invoker set search_path = ''
as $$
#variable_conflict use_column
begin
  case stage
    when 'days' then
      return query select d.organization_id, d.date::text
      from tollgate.next_day(after_organization, after_at::date, since, only_organization) d;
    when 'months' then -- none that is over has a day of the last two
      if since is null or since < (now() at time zone 'UTC')::date - 2 then
        return query select d.organization_id, date_trunc('month', d.date::timestamp)::date::text
        from tollgate.next_day(
          after_organization, (after_at::date + interval '1 month')::date - 1, since, only_organization) d;
      end if;
    when 'sessions' then
      return query select d.organization_id, d.date::text
      from tollgate.next_session_day(after_organization, after_at::date, since, only_organization) d;
    when 'periods' then
      return query select t.organization_id, t.period_start::text
      from tollgate.period_totals t
      where (t.organization_id, t.period_start) > (
          coalesce(after_organization, only_organization, '00000000-0000-0000-0000-000000000000'::uuid),
          coalesce(after_at::timestamptz, '-infinity'))
        and (only_organization is null or t.organization_id = only_organization)
        and (since is null or t.period_start >= since - 70)
      order by t.organization_id, t.period_start limit 1;
  end case;
end
$$;

grant execute on function tollgate.next_slice to tollgate_usage_worker, service_role;

-- schemas/40-functions/note_preexisting_usage.sql
-- Purpose: note what a row of usage_metrics came with that no event accounts for: usage from before Tollgate.
-- Parameters: none (trigger on insert). Returns: nothing. Locks: the new row.
-- Rights: its owner's, since whoever copies usage in need not know of the note.
-- Invariant: only days up to the installation; what the ledger already explains is not noted, so nothing counts twice.
create function tollgate.note_preexisting_usage() returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into tollgate.preexisting_usage (organization_id, user_id, date, tokens_used, output_tokens, cost_usd, charge_usd,
    message_count, unpriced_events)
  select new.organization_id, new.user_id, new.date, new.tokens_used, new.output_tokens, new.cost_usd, new.charge_usd,
    new.message_count, new.unpriced_events
  from tollgate.installation i
  -- The latest day that it was anywhere when Tollgate was installed.
  where new.date <= (i.installed_at at time zone 'UTC' + interval '14 hours')::date and not exists (
    select from tollgate.day_entries d
    where d.organization_id = new.organization_id and d.date = new.date and d.user_id = new.user_id)
  on conflict do nothing;
  return null;
end
$$;

revoke execute on function tollgate.note_preexisting_usage from public;

-- A row that Tollgate itself inserts has events, or nothing at all: it never gets as far as the function.
create trigger note_preexisting_usage after insert on public.usage_metrics
for each row when (new.event_count = 0 and (new.tokens_used > 0 or new.cost_usd > 0 or new.message_count > 0))
execute function tollgate.note_preexisting_usage();

-- Purpose: have the month of such a row read by the day again. Parameters: none (trigger before insert). Returns: the row as it is.
-- Locks: see unfold_months; before the row itself, as whoever records usage of a past month. Rights: as above.
create function tollgate.unfold_copied_usage() returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform tollgate.unfold_months(array[new.organization_id], array[new.date]);
  return new;
end
$$;

revoke execute on function tollgate.unfold_copied_usage from public;

create trigger unfold_copied_usage before insert on public.usage_metrics
for each row when (new.event_count = 0 and (new.tokens_used > 0 or new.cost_usd > 0 or new.message_count > 0))
execute function tollgate.unfold_copied_usage();

-- schemas/40-functions/note_redis_mark.sql
-- Purpose: remember how far a Redis has come, or that another one stands in its place.
-- Parameters: for_name; new_epoch and new_mark as read from Redis; instead_of = the epoch that has ended, null for none.
-- Returns: one row: noted = false when somebody else has noted another epoch meanwhile.
-- Locks: the row of for_name. Invariant: within an epoch the mark only rises; an epoch is replaced once.
create function public.note_redis_mark(for_name text, new_epoch uuid, new_mark bigint, instead_of uuid default null)
returns table (noted boolean)
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  if instead_of is null then
    insert into tollgate.redis_marks as m (name, epoch, mark) values (for_name, new_epoch, new_mark)
    on conflict (name) do update set mark = greatest(m.mark, excluded.mark), seen_at = now()
      where m.epoch = excluded.epoch;
  else
    update tollgate.redis_marks m set epoch = new_epoch, mark = new_mark, since = now(), seen_at = now()
    where m.name = for_name and m.epoch = instead_of;
  end if;
  return query select found;
end
$$;

revoke execute on function public.note_redis_mark from public, anon, authenticated;
grant execute on function public.note_redis_mark to tollgate_usage_worker, service_role;

-- schemas/40-functions/notify.sql
-- Purpose: tell every endpoint that wants to know what has happened to an organization. Called by the function that decides,
--   in its transaction, so that neither is without the other.
-- Parameters: organization, type (such as quota.revoked), key (names what happened), data (an object), at.
-- Returns: nothing. Locks: none. Invariant: an endpoint is told once of each key.
create function tollgate.notify(organization uuid, type text, key text, data jsonb, at timestamptz) returns void
language sql volatile security invoker set search_path = ''
as $$
  insert into tollgate.webhook_deliveries (endpoint_id, notification_key, organization_id, type, payload)
  select e.id, key, organization, type, jsonb_build_object('type', type,
    'timestamp', to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'data', jsonb_build_object('organization_id', organization) || data)
  from tollgate.webhook_endpoints e
  where (e.organization_id = organization or e.organization_id is null) and e.disabled_at is null
    and (e.types = '{}' or type = any (e.types))
  order by e.id
  on conflict (endpoint_id, notification_key) do nothing
$$;

-- Purpose: names what a decision is made under, for those who are told of it: the same until a decision is made under something
--   else, and never the same again. Parameters: held (of the decision before), inputs_key (of this one; all are as long).
-- Returns: text.
create function tollgate.told_under(held text, inputs_key text) returns text
language sql volatile security invoker set search_path = ''
as $$
  select case when starts_with(held, inputs_key) then held
    else concat_ws(':', inputs_key, nextval('tollgate.enforcement_revision')) end
$$;

-- Purpose: tell of a decision, if it is one that people are told of: a threshold, a downgrade, a revocation, or access that
--   comes back. Parameters: made (the decision), told_under (of the state that it is put into).
-- Returns: nothing. Invariant: each step is told once under the same limit, ladder, grants, period and manual act, however often
--   usage moves around it; where one of these was another at a decision in between, it is a new crossing.
create function tollgate.notify_decision(made tollgate.quota_decisions, told_under text) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  ladder constant text[] := array['active', 'warned', 'downgraded', 'revoked'];
  was constant integer := array_position(ladder, made.from_state);
  becomes constant integer := array_position(ladder, made.to_state);
  kind constant text := case
    when was > 2 and becomes < was then 'quota.restored'
    when made.to_state = 'revoked' then 'quota.revoked'
    when made.to_state = 'downgraded' then 'quota.downgraded'
    when made.to_state = 'warned' then 'quota.threshold'
  end;
begin
  if kind is null then return; end if;
  perform tollgate.notify(made.organization_id, kind,
    concat_ws(':', kind, made.organization_id, made.user_id, told_under,
      case kind when 'quota.restored' then made.from_state else made.reason || coalesce(made.observed ->> 'reason', '') end),
    jsonb_build_object('user_id', made.user_id, 'decision_id', made.id, 'from_state', made.from_state, 'state', made.to_state,
      'reason', made.reason, 'observed', made.observed, 'actor', made.actor, 'limit_tokens', made.inputs -> 'limit_tokens',
      'used_tokens', made.inputs -> 'used_tokens', 'cost_usd', made.inputs -> 'cost_usd', 'percent', made.inputs -> 'percent',
      'period_start', made.inputs -> 'period_start'),
    made.decided_at);
end
$$;

-- Purpose: tell that an organization's period is over, with what it came to. Parameters: for_organization, ended (the
--   period's start), over_at (its end). Returns: nothing. Invariant: once a period.
create function tollgate.notify_period(for_organization uuid, ended timestamptz, over_at timestamptz) returns void
language sql volatile security invoker set search_path = ''
as $$
  select tollgate.notify(for_organization, 'period.ended', concat_ws(':', 'period.ended', for_organization,
    extract(epoch from ended)), jsonb_build_object('period_start', ended, 'period_end', over_at,
      'used_tokens', coalesce(t.used_tokens, 0)::text, 'cost_usd', coalesce(t.cost_usd, 0)::text,
      'charge_usd', coalesce(t.charge_usd, 0)::text, 'event_count', coalesce(t.event_count, 0)::text,
      'unpriced_events', coalesce(t.unpriced_events, 0)::text), over_at)
  from (select 1) one
  left join tollgate.period_totals t on t.organization_id = for_organization and t.period_start = ended
$$;

grant execute on function tollgate.notify, tollgate.told_under, tollgate.notify_decision, tollgate.notify_period
  to tollgate_token_api, tollgate_quota_enforcer, service_role;

-- schemas/40-functions/open_proxy_session.sql
-- Purpose: use a handoff, once: open the session that a browser gets for it at the proxy in front of LibreChat.
-- Parameters: opening = { session_hash, presented_hash (null: no cookie came along) as 64 hex digits, handoff_id,
--   access_token_id? (of the access token that stands in for a handoff), login_session_id, user_id, organization_id,
--   domain (or id, as the URL's `org` says), expires_at }.
-- Returns: one row: outcome = opened | repeated (used before, by the session that presents itself: nothing changes) |
--   replayed (used before, by another: that session has ended now) | wrong_organization (nothing is used), and
--   login_session_id, the one that the handoff stands for.
-- Locks: the session of the handoff. Invariant: of any number of uses exactly one opens a session, since the insert is the
--   consumption; sessions that expired a day ago go, twenty at a time, and their handoffs have expired with them.
create function public.open_proxy_session(opening jsonb) returns table (outcome text, login_session_id uuid)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  wanted record;
  held tollgate.proxy_sessions;
begin
  select * into wanted from jsonb_to_record(tollgate.unwrap(opening)) as o (
    session_hash text, presented_hash text, handoff_id uuid, access_token_id uuid, login_session_id uuid, user_id uuid,
    organization_id uuid, domain text, expires_at timestamptz);
  login_session_id := wanted.login_session_id;

  if not exists (
    select from tollgate.directory_members m
    join tollgate.directory_organizations o on o.organization_id = m.organization_id
    where m.user_id = wanted.user_id and o.organization_id = wanted.organization_id
      and lower(wanted.domain) in (lower(o.domain), o.organization_id::text))
  then
    outcome := 'wrong_organization';
    return next;
    return;
  end if;

  delete from tollgate.proxy_sessions s where s.id_hash in (
    select e.id_hash from tollgate.proxy_sessions e where e.expires_at < now() - interval '1 day'
    order by e.id_hash limit 20 for update skip locked);

  insert into tollgate.proxy_sessions (
    id_hash, handoff_id, access_token_id, login_session_id, organization_id, user_id, expires_at)
  values (decode(wanted.session_hash, 'hex'), wanted.handoff_id, wanted.access_token_id, wanted.login_session_id,
    wanted.organization_id, wanted.user_id, wanted.expires_at)
  on conflict (handoff_id) do nothing
  returning * into held;
  if held.id_hash is not null then
    outcome := 'opened';
    return next;
    return;
  end if;

  select * into held from tollgate.proxy_sessions s where s.handoff_id = wanted.handoff_id for update;
  if held.id_hash = decode(wanted.presented_hash, 'hex') and held.ended_at is null then
    outcome := 'repeated';
  else
    update tollgate.proxy_sessions s set ended_at = now(), end_reason = 'handoff_replayed'
    where s.handoff_id = wanted.handoff_id and s.ended_at is null;
    outcome := 'replayed';
  end if;
  return next;
end
$$;

revoke execute on function public.open_proxy_session from public, anon, authenticated;
grant execute on function public.open_proxy_session to tollgate_token_api, service_role;

-- schemas/40-functions/open_reserved.sql
-- Purpose: LLM tokens in open holds of an organization. Parameters: for_organization. Returns: a sum, 0 without holds.
-- Invariant: a hold whose lease has run out does not count, whether or not somebody has marked it yet. Reads only.
create function tollgate.open_reserved(for_organization uuid) returns bigint
language sql stable security invoker set search_path = ''
as $$
  select coalesce((select t.reserved_tokens from tollgate.reserved_totals t where t.organization_id = for_organization), 0)
    - coalesce((
      select sum(r.total_tokens) from tollgate.reservations r
      where r.organization_id = for_organization and r.state in ('held', 'committing')
        and r.expires_at <= now() and tollgate.is_due_hold(r.state, r.expires_at)), 0)::bigint
$$;

grant execute on function tollgate.open_reserved to tollgate_token_api, tollgate_quota_enforcer, service_role;

-- schemas/40-functions/order_enforcement.sql
-- Purpose: put on record what somebody orders for an organization by hand; the enforcer puts it into force.
-- Parameters: enforcement_order = { organization_id, action (revoke, downgrade, exempt, restore, clear), until? (absent:
--   until it is taken back; restore holds until the period ends), reason, actor, at? (default: the database's present),
--   decision_id? (of the order: repeated with it, the order changes nothing) }.
-- Returns: no row for an unknown organization, else one: decision_id, until, refusal (over: `until` has passed; null: it is on record).
-- Locks: the override row. Invariant: every order is a decision with its actor and reason; the latest replaces the one before.
create function public.order_enforcement(enforcement_order jsonb) returns table (
  decision_id uuid, until timestamptz, refusal text)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
  held record;
begin
  select o.*, coalesce(o.at, now()) as ordered_at into asked from jsonb_to_record(tollgate.unwrap(enforcement_order)) as o (
    organization_id uuid, action text, until timestamptz, reason text, actor text, at timestamptz,
    decision_id uuid);
  select i.period_end, coalesce(t.used_tokens, 0) as used_tokens, coalesce(t.cost_usd, 0) as cost_usd, i.limit_tokens,
    i.policy_version, tollgate.state_at(s.state, s.lapses, s.period_end, asked.ordered_at) as state,
    coalesce(s.version, 0) as version
  into held
  from tollgate.quota_inputs_at(asked.ordered_at) i
  left join tollgate.period_totals t on t.organization_id = i.organization_id and t.period_start = i.period_start
  left join tollgate.enforcement_states s on s.organization_id = i.organization_id
  where i.organization_id = asked.organization_id;
  if not found then return; end if;
  -- Not of an order that is on record: it was in time, and its repetition may be late.
  if asked.until <= asked.ordered_at
    and not exists (select from tollgate.quota_decisions d where d.id = asked.decision_id) then
    refusal := 'over';
    return next;
    return;
  end if;
  until := case when asked.action = 'restore' then coalesce(asked.until, held.period_end) else asked.until end;

  insert into tollgate.quota_decisions (id, organization_id, kind, decided_at, from_state, to_state, version, reason, actor, inputs)
  values (coalesce(asked.decision_id, gen_random_uuid()), asked.organization_id, 'act', asked.ordered_at, held.state, held.state, held.version, 'ordered_' || asked.action,
    asked.actor, jsonb_build_object('action', asked.action, 'reason', asked.reason, 'until', until,
      'used_tokens', held.used_tokens::text, 'limit_tokens', held.limit_tokens::text, 'cost_usd', held.cost_usd::text,
      'policy_version', held.policy_version::text))
  on conflict (id) do nothing
  returning id into decision_id;
  if decision_id is null then
    return query select d.id, (d.inputs ->> 'until')::timestamptz, null from tollgate.quota_decisions d
      where d.id = asked.decision_id and d.organization_id = asked.organization_id;
    return;
  end if;
  if asked.action = 'clear' then
    delete from tollgate.enforcement_overrides v where v.organization_id = asked.organization_id;
  else
    insert into tollgate.enforcement_overrides as v (
      organization_id, act, until, used_tokens, cost_usd, actor, reason, decision_id, created_at)
    values (asked.organization_id, asked.action, until, held.used_tokens, held.cost_usd, asked.actor, asked.reason, decision_id,
      asked.ordered_at)
    on conflict (organization_id) do update set
      act = excluded.act, until = excluded.until, used_tokens = excluded.used_tokens, cost_usd = excluded.cost_usd,
      actor = excluded.actor, reason = excluded.reason, decision_id = excluded.decision_id, created_at = excluded.created_at;
  end if;
  perform tollgate.record_audit(asked.actor, 'enforcement.ordered', 'organization:' || asked.organization_id,
    jsonb_build_object('action', asked.action, 'until', until, 'reason', asked.reason, 'decision_id', decision_id));
  return next;
end
$$;

revoke execute on function public.order_enforcement from public, anon, authenticated;
grant execute on function public.order_enforcement to tollgate_token_api, service_role;

-- schemas/40-functions/order_user_enforcement.sql
-- Purpose: put on record what somebody orders for one user by hand; the enforcer puts it into force.
-- Parameters: enforcement_order = as for order_enforcement, with user_id.
-- Returns: no row where the user does not belong to the organization, else one: decision_id, until, refusal (as order_enforcement).
-- Locks: the override row, then the limit's. Invariant: as order_enforcement. It bears on the user alone: the organization's own
--   state holds beside it. A row of user_quotas that is new stays due as that of a first limit does.
create function public.order_user_enforcement(enforcement_order jsonb) returns table (
  decision_id uuid, until timestamptz, refusal text)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
  held record;
begin
  select o.*, coalesce(o.at, now()) as ordered_at into asked from jsonb_to_record(tollgate.unwrap(enforcement_order)) as o (
    organization_id uuid, user_id uuid, action text, until timestamptz, reason text, actor text, at timestamptz,
    decision_id uuid);
  if tollgate.membership_fault(asked.organization_id, asked.user_id, true) is not null then return; end if;
  select i.period_end, m.used_tokens, m.cost_usd, case when q.is_own then q.max_tokens else f.max_tokens end as limit_tokens,
    tollgate.state_at(s.state, s.lapses, s.period_end, asked.ordered_at) as state, coalesce(s.version, 0) as version
  into held
  from tollgate.quota_inputs_at(asked.ordered_at) i
  left join tollgate.user_quotas q on q.organization_id = i.organization_id and q.user_id = asked.user_id
  left join tollgate.user_quota_defaults f on f.organization_id = i.organization_id
  left join tollgate.user_enforcement_states s on s.organization_id = i.organization_id and s.user_id = asked.user_id
  cross join lateral (
    select coalesce(sum(r.tokens_used), 0)::bigint as used_tokens, coalesce(sum(r.cost_usd), 0) as cost_usd
    from public.usage_metrics r
    where r.organization_id = i.organization_id and r.user_id = asked.user_id
      and r.date >= (i.period_start at time zone i.time_zone)::date and r.date < (i.period_end at time zone i.time_zone)::date) m
  where i.organization_id = asked.organization_id;
  -- Not of an order that is on record: it was in time, and its repetition may be late.
  if asked.until <= asked.ordered_at
    and not exists (select from tollgate.quota_decisions d where d.id = asked.decision_id) then
    refusal := 'over';
    return next;
    return;
  end if;
  until := case when asked.action = 'restore' then coalesce(asked.until, held.period_end) else asked.until end;

  insert into tollgate.quota_decisions (
    id, organization_id, user_id, kind, decided_at, from_state, to_state, version, reason, actor, inputs)
  values (coalesce(asked.decision_id, gen_random_uuid()), asked.organization_id, asked.user_id, 'act', asked.ordered_at, held.state, held.state, held.version,
    'ordered_' || asked.action, asked.actor, jsonb_build_object('action', asked.action, 'reason', asked.reason, 'until', until,
      'used_tokens', held.used_tokens::text, 'limit_tokens', held.limit_tokens::text, 'cost_usd', held.cost_usd::text))
  on conflict (id) do nothing
  returning id into decision_id;
  if decision_id is null then
    return query select d.id, (d.inputs ->> 'until')::timestamptz, null from tollgate.quota_decisions d
      where d.id = asked.decision_id and d.organization_id = asked.organization_id and d.user_id = asked.user_id;
    return;
  end if;
  if asked.action = 'clear' then
    delete from tollgate.user_enforcement_overrides v
    where v.organization_id = asked.organization_id and v.user_id = asked.user_id;
  else
    insert into tollgate.user_enforcement_overrides as v (
      organization_id, user_id, act, until, used_tokens, cost_usd, actor, reason, decision_id, created_at)
    values (asked.organization_id, asked.user_id, asked.action, until, held.used_tokens, held.cost_usd, asked.actor,
      asked.reason, decision_id, asked.ordered_at)
    on conflict (organization_id, user_id) do update set
      act = excluded.act, until = excluded.until, used_tokens = excluded.used_tokens, cost_usd = excluded.cost_usd,
      actor = excluded.actor, reason = excluded.reason, decision_id = excluded.decision_id, created_at = excluded.created_at;
  end if;
  -- The enforcer looks at whoever has a row that is due.
  insert into tollgate.user_quotas as q (organization_id, user_id, is_own, is_settled, version, updated_by)
  values (asked.organization_id, asked.user_id, false, false, 0, asked.actor)
  on conflict (organization_id, user_id) do update set changes = q.changes + 1;
  perform tollgate.record_audit(asked.actor, 'enforcement.ordered', 'user:' || asked.user_id,
    jsonb_build_object('action', asked.action, 'until', until, 'reason', asked.reason, 'decision_id', decision_id),
    asked.organization_id);
  return next;
end
$$;

revoke execute on function public.order_user_enforcement from public, anon, authenticated;
grant execute on function public.order_user_enforcement to tollgate_token_api, service_role;

-- schemas/40-functions/park_events.sql
-- Purpose: accept events while Redis is away. Parameters: batch = { "events": [AcceptedEvent, …] }.
-- Returns: one row: parked (events). Locks: none. Invariant: what this returned for is on disk.
create function public.park_events(batch jsonb) returns table (parked integer)
language sql volatile security invoker set search_path = ''
as $$
  insert into tollgate.event_inbox (events) values (tollgate.unwrap(batch) -> 'events') returning jsonb_array_length(events)
$$;

revoke execute on function public.park_events from public, anon, authenticated;
grant execute on function public.park_events to tollgate_token_api, service_role;

-- schemas/40-functions/positions_of.sql
-- Purpose: where some organizations stand in their current period. Parameters: organizations.
-- Returns: a row for each one known: limit_tokens (null: unlimited), used_tokens (the total of the ledger), reserved_tokens
--   (open holds, see open_reserved), evaluate_at (the total at which a decision could change next; null: none),
--   session_max_tokens (limit of each chat session; null: none), is_lenient (nothing is refused: observed, exempt or paused).
-- Reads only. Invariant: holds count in the period that is, whenever they were made.
create function tollgate.positions_of(organizations uuid[])
returns table (
  organization_id uuid, limit_tokens bigint, used_tokens bigint, reserved_tokens bigint, period_start timestamptz,
  period_end timestamptz, evaluate_at bigint, session_max_tokens bigint, is_lenient boolean)
language sql stable security invoker set search_path = ''
as $$
  select i.organization_id, i.limit_tokens, coalesce(t.used_tokens, 0),
    coalesce(h.reserved_tokens, 0) - coalesce((
      select sum(r.total_tokens) from tollgate.reservations r
      where r.organization_id = i.organization_id and r.state in ('held', 'committing')
        and r.expires_at <= now() and tollgate.is_due_hold(r.state, r.expires_at)), 0)::bigint,
    i.period_start, i.period_end, t.evaluate_at, (i.policy ->> 'session_max_tokens')::bigint,
    i.mode = 'observe' or coalesce(i.manual_act ->> 'act' = 'exempt', false)
      or exists (select from tollgate.enforcement_control c where c.paused)
  from tollgate.quota_inputs i
  left join tollgate.period_totals t on t.organization_id = i.organization_id and t.period_start = i.period_start
  left join tollgate.reserved_totals h on h.organization_id = i.organization_id
  where i.organization_id = any(organizations)
$$;

grant execute on function tollgate.positions_of to tollgate_token_api, tollgate_quota_enforcer, service_role;

-- schemas/40-functions/post_opening_balances.sql
-- Purpose: give usage that was there before Tollgate an entry in the ledger: what rows of usage_metrics came with, whatever
--   events have added to them since. Parameters: for_organization, for_date. Returns: whether there was any note: rows are
--   locked then and were written, also where all of it had been posted before.
-- Locks: identities (of these entries alone), then as repair_day; then the period's total.
-- Invariant: once for a row: its note goes with the posting, and it has an identity (source tollgate, id
--   opening-balance:<user>:<date>). Figures are taken as they are; what tokens_used has beyond output is posted as input.
--   Never priced again.
create function tollgate.post_opening_balances(for_organization uuid, for_date date) returns boolean
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  period record;
  noon timestamptz;
begin
  if not exists (
      select from tollgate.preexisting_usage p where p.organization_id = for_organization and p.date = for_date) then
    return false;
  end if;
  select p.* into period
  from tollgate.organization_period(for_organization, (for_date + time '12:00') at time zone 'UTC') p;
  noon := (for_date + time '12:00') at time zone period.time_zone;
  with noted as (
    delete from tollgate.preexisting_usage p where p.organization_id = for_organization and p.date = for_date
    returning p.*, 'opening-balance:' || p.user_id || ':' || p.date as event_id
  ), before as materialized (
    select n.*, tollgate.identity_digest('tollgate', n.event_id) as digest from noted n
  ), claimed as (
    insert into tollgate.usage_event_identities (organization_id, digest, counts_digest, imported)
    select b.organization_id, b.digest, b.digest, true
    from before b
    order by b.digest
    on conflict do nothing
    returning digest
  )
  insert into tollgate.usage_events (
    organization_id, digest, source, event_id, time, received_at, user_id, session_id, model, entry, imported,
    input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens, reasoning_output_tokens,
    total_tokens, message_count, event_count, unpriced_events, usage_date, period_start, cost_usd, charge_usd)
  select b.organization_id, c.digest, 'tollgate', b.event_id, noon, now(), b.user_id, 'opening-balance', 'opening-balance',
    'opening_balance', true, b.tokens_used - b.output_tokens, b.output_tokens, 0, 0, 0, b.tokens_used, b.message_count,
    0, b.unpriced_events, b.date, period.period_start, b.cost_usd, b.charge_usd
  from before b
  join claimed c on c.digest = b.digest;
  perform tollgate.repair_day(for_organization, for_date);
  perform tollgate.repair_period(for_organization, period.period_start);
  return true;
end
$$;

grant execute on function tollgate.post_opening_balances to tollgate_usage_worker, service_role;

-- schemas/40-functions/post_to_open_periods.sql
-- Purpose: an entry whose own period is closed posts to the organization's present one, and says where it came from.
-- Parameters: entries. Returns: the same entries, in the same order. Reads only.
-- Invariant: what a statement froze never changes. The caller holds a share of the lock of the periods, taken in a
--   statement of its own before, so that no period is closed between this look and its commit.
create function tollgate.post_to_open_periods(entries tollgate.judged_event[]) returns tollgate.judged_event[]
language sql stable security invoker set search_path = ''
as $$
  select case
    -- The present period is never closed: a batch of fresh usage ends here.
    when not exists (select from unnest(entries) e where not e.is_current_period) then entries
    when not exists (
      select from unnest(entries) e
      join tollgate.period_statements s on s.organization_id = e.organization_id and s.period_start = e.period_start
      where not e.is_current_period) then entries
    else array(
      select case when s.organization_id is null then u.entry else jsonb_populate_record(u.entry, jsonb_build_object(
        'original_period_start', (u.entry).period_start, 'is_current_period', true,
        'period_start', (select c.period_start from tollgate.organization_period((u.entry).organization_id) c))) end
      from (select e as entry, row_number() over () as position from unnest(entries) e) u
      left join tollgate.period_statements s
        on s.organization_id = (u.entry).organization_id and s.period_start = (u.entry).period_start
      order by u.position)
  end
$$;

grant execute on function tollgate.post_to_open_periods to tollgate_usage_worker, service_role;

-- schemas/40-functions/price_call.sql
-- Purpose: the price in force for one call; judge_events does the same for a whole batch at a time.
-- Parameters: the call's provider (null: the model's maker), model, time and counts.
-- Returns: no row where no price is known, else one: price_id, cost_usd. Reads only.
-- Invariant: an operator's price before a seeded one, then the highest long-context tier reached, then the newest.
create function tollgate.price_call(
  reported_provider text, reported_model text, at timestamptz, input_tokens bigint, output_tokens bigint,
  cache_read_input_tokens bigint, cache_creation_input_tokens bigint, reasoning_output_tokens bigint)
returns table (price_id bigint, cost_usd numeric)
language sql stable security invoker set search_path = ''
as $$
  select p.id, tollgate.cost_usd(p.input_usd_per_mtok, p.output_usd_per_mtok, p.cache_read_usd_per_mtok,
    p.cache_creation_usd_per_mtok, p.reasoning_usd_per_mtok, input_tokens, output_tokens, cache_read_input_tokens,
    cache_creation_input_tokens, reasoning_output_tokens)
  from tollgate.resolve_model(reported_provider, reported_model) r
  join tollgate.model_prices p on p.provider = r.provider and p.model = r.model
  where at >= p.valid_from and at < p.valid_to and input_tokens >= p.min_input_tokens
  order by (p.origin = 'operator') desc, p.min_input_tokens desc, p.valid_from desc
  limit 1
$$;

grant execute on function tollgate.price_call to tollgate_usage_worker, service_role;

-- schemas/40-functions/prune_identities.sql
-- Purpose: forget identities of events that can no longer be sent again or corrected, and corrections that have waited for
--   as long without their original. Parameters: retention_days (less than 90 is taken as 90), max_rows of this call, of
--   either kind. Returns: one row: pruned (identities).
-- Locks: the identities' rows; nobody else locks one that exists. A waiting correction that somebody else has locked is left
--   for the next call. Invariant: an identity lives at least 90 days after it was seen; one that came by an import is kept,
--   since imports are not bound to 35 days.
create function public.prune_identities(retention_days integer, max_rows integer) returns table (pruned integer)
language sql volatile security invoker set search_path = ''
as $$
  with old as materialized (
    select i.organization_id, i.digest from tollgate.usage_event_identities i
    where i.seen_at < now() - make_interval(days => greatest(retention_days, 90)) and not i.imported
    limit max_rows
  ), gone as (
    delete from tollgate.usage_event_identities i using old
    where i.organization_id = old.organization_id and i.digest = old.digest
      and i.seen_at < now() - make_interval(days => greatest(retention_days, 90))
    returning i.digest
  ), unanswered as materialized (
    select p.organization_id, p.digest from tollgate.pending_corrections p
    where p.received_at < now() - make_interval(days => greatest(retention_days, 90))
    limit max_rows
    for update skip locked
  ), dropped as (
    delete from tollgate.pending_corrections p using unanswered u
    where p.organization_id = u.organization_id and p.digest = u.digest
  )
  select count(*)::integer from gone
$$;

revoke execute on function public.prune_identities from public, anon, authenticated;
grant execute on function public.prune_identities to tollgate_usage_worker, service_role;

-- schemas/40-functions/prune_reservations.sql
-- Purpose: forget holds that ended long ago. Parameters: max_rows. Returns: one row: pruned. Locks: the rows it deletes.
-- Invariant: open holds stay; an ended one is kept for 8 days, so that a repeated request still finds its answer.
create function public.prune_reservations(max_rows integer) returns table (pruned integer)
language sql volatile security invoker set search_path = ''
as $$
  with gone as (
    delete from tollgate.reservations r where r.id = any(array(
      select d.id from tollgate.reservations d
      where d.created_at < now() - interval '8 days' and d.state in ('settled', 'released', 'expired')
      limit max_rows))
    returning r.id
  )
  select count(*)::integer from gone
$$;

revoke execute on function public.prune_reservations from public, anon, authenticated;
grant execute on function public.prune_reservations to tollgate_quota_enforcer, service_role;

-- schemas/40-functions/read_commits.sql
-- Purpose: the commits of a call of commit_reservations as rows. Parameters: commits (jsonb array).
-- Returns: a row a commit, ordinal from 1; digest = the identity of its event, as in usage_event_identities. Reads nothing.
create function tollgate.read_commits(commits jsonb)
returns table (
  ordinal integer, reservation_id uuid, strict boolean, key_organization_id uuid, organization_id uuid, user_id uuid,
  session_id text, digest bytea, event jsonb)
language sql stable security invoker set search_path = '' rows 50
as $$
  select c.ordinality::integer, (c.value ->> 'reservation_id')::uuid, (c.value ->> 'strict')::boolean,
    (c.value ->> 'organization_id')::uuid, (e.event ->> 'organization_id')::uuid, (e.event ->> 'user_id')::uuid,
    e.event ->> 'session_id',
    tollgate.identity_digest(e.event ->> 'source', e.event ->> 'id'),
    e.event
  from jsonb_array_elements(commits) with ordinality c
  cross join lateral (select c.value -> 'event' as event) e
$$;

grant execute on function tollgate.read_commits to tollgate_token_api, service_role;

-- schemas/40-functions/read_redis_mark.sql
-- Purpose: what is remembered of a Redis. Parameters: for_name. Returns: no row before the first note, else one:
--   epoch, mark (text), seen_at. Reads only.
create function public.read_redis_mark(for_name text) returns table (epoch uuid, mark text, seen_at timestamptz)
language sql stable security invoker set search_path = ''
as $$
  select m.epoch, m.mark::text, m.seen_at from tollgate.redis_marks m where m.name = for_name
$$;

revoke execute on function public.read_redis_mark from public, anon, authenticated;
grant execute on function public.read_redis_mark to tollgate_usage_worker, service_role;

-- schemas/40-functions/reconcile_books.sql
-- Purpose: prove the rollups by the ledger, some slices a call: days (usage_metrics, usage_by_model,
--   usage_by_organization_model), months by these days, chat sessions by the day they started, period totals; put right what
--   is off, and fold months that are over.
-- Parameters: scan = { stage?, organization_id?, at?, carried? (where the last call ended), since? (days from then on),
--   only_organization?, repair, budget_ms }.
-- Returns: one row: resume (the next call's scan; null: all is through), slices, drift (see check_slice), busy (retention is
--   at work: call again later).
-- Locks: a share of the books, so that no partition comes or goes meanwhile; a call ends with the slice that it has written,
--   so that rows are locked in the order of ingest_usage and for one slice alone.
-- Invariant: safe during full load: a slice is compared in one snapshot, and recomputed under the locks of its rows.
create function public.reconcile_books(scan jsonb)
returns table (resume jsonb, slices integer, drift jsonb, busy boolean)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(scan);
  here record;
  began timestamptz := clock_timestamp();
  changed boolean := false;
  steps integer := 0;
  checked record;
begin
  select s.* into here from jsonb_to_record(asked) as s (stage text, organization_id uuid, at text, since date,
    only_organization uuid, repair boolean, budget_ms integer, carried jsonb);
  here.stage := coalesce(here.stage, 'days');
  slices := 0;
  drift := '[]';
  busy := not pg_try_advisory_xact_lock_shared(hashtext('tollgate.books'));
  while not busy and here.stage is not null and drift = '[]' and not changed
    and (steps = 0 or clock_timestamp() < began + make_interval(secs => here.budget_ms / 1000.0)) loop
    if here.carried is null then -- else the next window of the same sessions
      select n.organization_id, n.at into here.organization_id, here.at
      from tollgate.next_slice(here.stage, here.organization_id, here.at, here.since, here.only_organization) n;
      slices := slices + (here.organization_id is not null)::integer;
    end if;
    steps := steps + 1;
    if here.organization_id is null then
      here.stage := case here.stage when 'days' then 'months' when 'months' then 'sessions' when 'sessions' then 'periods' end;
    else
      select c.* into checked
      from tollgate.check_slice(here.stage, here.organization_id, here.at, here.repair, here.carried) c;
      drift := checked.drift;
      changed := checked.changed;
      here.at := coalesce(checked.next_at, split_part(here.at, '>', 1));
      here.carried := checked.next_carried;
    end if;
  end loop;
  resume := case when here.stage is not null then asked || to_jsonb(here) end;
  return next;
end
$$;

revoke execute on function public.reconcile_books from public, anon, authenticated;
grant execute on function public.reconcile_books to tollgate_usage_worker, service_role;

-- schemas/40-functions/reconcile_period.sql
-- Purpose: what a period consists of, by model: ledger and closing figures. Parameters: for_organization, for_period (its
--   start). Returns: a row a model. Reads only.
-- Invariant: an entry that posts to its own period lies on one of its days, at most two months; one that posts to a later
--   period than its own is found by an index of its own.
create function tollgate.fold_period_models(for_organization uuid, for_period timestamptz)
returns table (model text, total_tokens bigint, input_tokens bigint, output_tokens bigint, cost_usd numeric,
  charge_usd numeric, event_count bigint, unpriced_events bigint)
language sql stable security invoker set search_path = ''
as $$
  select e.model, sum(e.total_tokens)::bigint, sum(e.input_tokens)::bigint, sum(e.output_tokens)::bigint,
    coalesce(sum(e.cost_usd), 0), coalesce(sum(e.charge_usd), 0), sum(e.event_count)::bigint,
    sum(e.unpriced_events)::bigint
  from (
    select u.model, u.total_tokens, u.input_tokens, u.output_tokens, u.cost_usd, u.charge_usd, u.event_count::bigint,
      u.unpriced_events::bigint
    from tollgate.usage_events u
    where u.organization_id = for_organization and u.period_start = for_period and u.original_period_start is null
      and u.usage_date between (for_period at time zone 'UTC')::date - 2 and (for_period at time zone 'UTC')::date + 70
    union all
    select u.model, u.total_tokens, u.input_tokens, u.output_tokens, u.cost_usd, u.charge_usd, u.event_count,
      u.unpriced_events
    from tollgate.usage_events u
    where u.organization_id = for_organization and u.period_start = for_period and u.original_period_start is not null
    union all
    select s.model, s.total_tokens, s.input_tokens, s.output_tokens, s.cost_usd, s.charge_usd, s.event_count,
      s.unpriced_events
    from tollgate.sealed_periods s where s.organization_id = for_organization and s.period_start = for_period
  ) e
  group by e.model
$$;

-- Purpose: what a period's total has to say. Parameters: as above. Returns: one row. Reads only.
create function tollgate.fold_period(for_organization uuid, for_period timestamptz)
returns table (used_tokens bigint, cost_usd numeric, charge_usd numeric, event_count bigint, unpriced_events bigint)
language sql stable security invoker set search_path = ''
as $$
  select coalesce(sum(m.total_tokens), 0)::bigint, coalesce(sum(m.cost_usd), 0), coalesce(sum(m.charge_usd), 0),
    coalesce(sum(m.event_count), 0)::bigint, coalesce(sum(m.unpriced_events), 0)::bigint
  from tollgate.fold_period_models(for_organization, for_period) m
$$;

-- Purpose: whether a period's total differs from it. Parameters: as above. Returns: a row when it does, with what the total
--   has too little. Invariant: one snapshot. Reads only.
create function tollgate.find_period_drift(for_organization uuid, for_period timestamptz)
returns table (tokens_off bigint, cost_off numeric)
language sql stable security invoker set search_path = ''
as $$
  select f.used_tokens - t.used_tokens, f.cost_usd - t.cost_usd
  from tollgate.fold_period(for_organization, for_period) f
  join tollgate.period_totals t on t.organization_id = for_organization and t.period_start = for_period
  where row(f.used_tokens, f.cost_usd, f.charge_usd, f.event_count, f.unpriced_events)
    is distinct from row(t.used_tokens, t.cost_usd, t.charge_usd, t.event_count, t.unpriced_events)
$$;

-- Purpose: set a period's total to it, and have the enforcer look again. Parameters: as above. Returns: nothing.
-- Locks: the total's row. Invariant: as repair_day.
create function tollgate.repair_period(for_organization uuid, for_period timestamptz) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  insert into tollgate.period_totals (organization_id, period_start) values (for_organization, for_period)
  on conflict do nothing;
  perform from tollgate.period_totals t where t.organization_id = for_organization and t.period_start = for_period
  for update;
  update tollgate.period_totals t set
    used_tokens = f.used_tokens, cost_usd = f.cost_usd, charge_usd = f.charge_usd, event_count = f.event_count,
    unpriced_events = f.unpriced_events, evaluate_at = 0, updated_at = now()
  from tollgate.fold_period(for_organization, for_period) f
  where t.organization_id = for_organization and t.period_start = for_period;
end
$$;

grant execute on function tollgate.fold_period_models, tollgate.fold_period, tollgate.find_period_drift,
  tollgate.repair_period
  to tollgate_usage_worker, service_role;

-- schemas/40-functions/reconcile_sessions.sql
-- Purpose: what some chat sessions have to say, by ledger and closing figures. Parameters: for_organization, users and
--   sessions (two arrays of one length: their keys). Returns: a row a session; is_explained: any entry speaks of it.
-- Invariant: every entry of a session lies between its start and its last activity, so that a range of days is enough. It may
--   be a long one: asked only of sessions that fold_session_window has found to be off. Reads only.
create function tollgate.fold_sessions(for_organization uuid, users uuid[], sessions text[])
returns table (user_id uuid, librechat_session_id text, message_count bigint, input_tokens bigint, output_tokens bigint,
  total_tokens bigint, cost_usd numeric, charge_usd numeric, unpriced_events bigint, is_explained boolean)
language sql stable security invoker set search_path = ''
as $$
  with session as materialized (
    select s.user_id, s.librechat_session_id, s.started_at, s.last_activity_at
    from unnest(users, sessions) k (user_id, session_id)
    join public.chat_sessions s on s.organization_id = for_organization and s.user_id = k.user_id
      and s.librechat_session_id = k.session_id
  ), entry as (
    select e.user_id, e.session_id as librechat_session_id, e.message_count::bigint, e.input_tokens, e.output_tokens,
      e.total_tokens, e.cost_usd, e.charge_usd, e.unpriced_events::bigint
    from tollgate.usage_events e
    where e.organization_id = for_organization and e.entry <> 'opening_balance'
      and e.usage_date between (select (min(s.started_at) at time zone 'UTC')::date - 1 from session s)
        and (select (max(s.last_activity_at) at time zone 'UTC')::date + 1 from session s)
    union all
    select c.user_id, c.librechat_session_id, c.message_count, c.input_tokens, c.output_tokens, c.total_tokens, c.cost_usd,
      c.charge_usd, c.unpriced_events
    from tollgate.sealed_sessions c
    where c.organization_id = for_organization
      and (c.user_id, c.librechat_session_id) in (select s.user_id, s.librechat_session_id from session s)
  )
  select user_id, librechat_session_id, coalesce(sum(e.message_count), 0)::bigint, coalesce(sum(e.input_tokens), 0)::bigint,
    coalesce(sum(e.output_tokens), 0)::bigint, coalesce(sum(e.total_tokens), 0)::bigint, coalesce(sum(e.cost_usd), 0),
    coalesce(sum(e.charge_usd), 0), coalesce(sum(e.unpriced_events), 0)::bigint, count(e.total_tokens) > 0
  from session s left join entry e using (user_id, librechat_session_id)
  group by user_id, librechat_session_id
$$;

-- Purpose: the same of the sessions that started on a day, as far as some days of the ledger tell: a window of it.
-- Parameters: for_organization, for_date (UTC day of started_at), from_date and to_date (the window; the first one begins the
--   day before for_date and has the closing figures), carried (what the windows before have told: see check_sessions).
-- Returns: a row a session that was active in or after the window, with sums up to its end; entries; is_complete: it was
--   active no later. Reads only, and of the ledger no more than the window.
create function tollgate.fold_session_window(
  for_organization uuid, for_date date, from_date date, to_date date, carried jsonb)
returns table (user_id uuid, session_id text, message_count bigint, input_tokens bigint, output_tokens bigint,
  total_tokens bigint, cost_usd numeric, charge_usd numeric, unpriced_events bigint, entries bigint, is_complete boolean)
language sql stable security invoker set search_path = ''
as $$
  with session as materialized (
    select s.user_id, s.librechat_session_id as session_id, (s.last_activity_at at time zone 'UTC')::date + 1 as last_date
    from public.chat_sessions s
    where s.organization_id = for_organization
      and s.started_at >= for_date::timestamp at time zone 'UTC' and s.started_at < (for_date + 1)::timestamp at time zone 'UTC'
      and (s.last_activity_at at time zone 'UTC')::date + 1 >= from_date
  ), part as (
    select e.user_id, e.session_id, e.message_count::bigint, e.input_tokens, e.output_tokens, e.total_tokens, e.cost_usd,
      e.charge_usd, e.unpriced_events::bigint, 1::bigint as entries
    from tollgate.usage_events e
    where e.organization_id = for_organization and e.entry <> 'opening_balance'
      and e.usage_date between from_date and (select least(to_date, max(s.last_date)) from session s)
    union all
    select c.user_id, c.librechat_session_id, c.message_count, c.input_tokens, c.output_tokens, c.total_tokens, c.cost_usd,
      c.charge_usd, c.unpriced_events, 1
    from tollgate.sealed_sessions c
    where c.organization_id = for_organization and from_date < for_date
      and (c.user_id, c.librechat_session_id) in (select s.user_id, s.session_id from session s)
    union all
    select p.user_id, p.session_id, p.message_count, p.input_tokens, p.output_tokens, p.total_tokens, p.cost_usd,
      p.charge_usd, p.unpriced_events, p.entries
    from jsonb_to_recordset(carried) as p (user_id uuid, session_id text, message_count bigint, input_tokens bigint,
      output_tokens bigint, total_tokens bigint, cost_usd numeric, charge_usd numeric, unpriced_events bigint, entries bigint)
  )
  select user_id, session_id, coalesce(sum(p.message_count), 0)::bigint, coalesce(sum(p.input_tokens), 0)::bigint,
    coalesce(sum(p.output_tokens), 0)::bigint, coalesce(sum(p.total_tokens), 0)::bigint, coalesce(sum(p.cost_usd), 0),
    coalesce(sum(p.charge_usd), 0), coalesce(sum(p.unpriced_events), 0)::bigint, coalesce(sum(p.entries), 0)::bigint, s.last_date <= to_date
  from session s left join part p using (user_id, session_id)
  group by user_id, session_id, s.last_date
$$;

-- Purpose: where chat_sessions differ from them. Parameters: as fold_sessions. Returns: a row a session that is off.
-- Invariant: as find_day_drift: one snapshot; a session from before Tollgate that no entry explains is no drift. Reads only.
create function tollgate.find_session_drift(for_organization uuid, users uuid[], sessions text[])
returns table (user_id uuid, session_id text, tokens_off bigint, cost_off numeric)
language sql stable security invoker set search_path = ''
as $$
  select f.user_id, f.librechat_session_id, f.total_tokens - s.total_tokens, f.cost_usd - s.cost_usd
  from tollgate.fold_sessions(for_organization, users, sessions) f
  join public.chat_sessions s on s.organization_id = for_organization and s.user_id = f.user_id
    and s.librechat_session_id = f.librechat_session_id
  where (f.is_explained or s.started_at >= (select i.installed_at from tollgate.installation i))
    and row(f.message_count, f.input_tokens, f.output_tokens, f.total_tokens, f.cost_usd, f.charge_usd, f.unpriced_events,
        f.message_count, f.total_tokens)
      is distinct from row(s.message_count, s.input_tokens, s.output_tokens, s.total_tokens, s.cost_usd, s.charge_usd,
        s.unpriced_events, coalesce((s.session_metadata ->> 'messages')::numeric, 0),
        coalesce((s.session_metadata ->> 'tokens')::numeric, 0))
$$;

-- Purpose: set chat_sessions to them. Parameters: as above. Returns: nothing.
-- Locks: those sessions in the order of their key. Invariant: as repair_day, also that only what is locked is written.
create function tollgate.repair_sessions(for_organization uuid, users uuid[], sessions text[]) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  perform from public.chat_sessions s
  join unnest(users, sessions) k (user_id, session_id) on s.user_id = k.user_id and s.librechat_session_id = k.session_id
  where s.organization_id = for_organization
  order by s.organization_id, s.user_id, s.librechat_session_id for update of s;
  update public.chat_sessions s set
    message_count = f.message_count, input_tokens = f.input_tokens, output_tokens = f.output_tokens,
    total_tokens = f.total_tokens, cost_usd = f.cost_usd, charge_usd = f.charge_usd, unpriced_events = f.unpriced_events,
    session_metadata = s.session_metadata || jsonb_build_object('messages', f.message_count, 'tokens', f.total_tokens)
  from tollgate.fold_sessions(for_organization, users, sessions) f
  where s.organization_id = for_organization and s.user_id = f.user_id and s.librechat_session_id = f.librechat_session_id
    and (f.is_explained or s.started_at >= (select i.installed_at from tollgate.installation i));
end
$$;

grant execute on function tollgate.fold_sessions, tollgate.fold_session_window, tollgate.find_session_drift,
  tollgate.repair_sessions to tollgate_usage_worker, service_role;

-- schemas/40-functions/record_audit.sql
-- Purpose: put an administrative act on record. Called by the function that does the act, so that neither is without the
--   other. Parameters: actor (user:<id>, key:<id>, operator, cli, system:<service>), action (<thing>.<verb in the past>, such
--   as quota.changed), target (<kind>:<id>), details (an object: before and after, the reason; never a secret),
--   organization (whose admin may read it; by default the one that the target names, else the operator alone).
-- Returns: id of the entry. Locks: none.
create function tollgate.record_audit(
  actor text, action text, target text, details jsonb default '{}', organization uuid default null)
returns bigint
language sql volatile security invoker set search_path = ''
as $$
  insert into tollgate.audit_log (actor, action, target, organization_id, details)
  values (actor, action, target, coalesce(organization, substring(target from '^organization:([0-9a-f-]{36})$')::uuid),
    coalesce(details, '{}'))
  returning id
$$;

grant execute on function tollgate.record_audit
  to tollgate_token_api, tollgate_usage_worker, tollgate_quota_enforcer, service_role;

-- schemas/40-functions/record_dead_letters.sql
-- Purpose: keep what could not be recorded. Parameters: batch = { "letters": [{ queue, reason, detail, payload }] }.
-- Returns: one row: kept. Locks: none. Invariant: payload is kept as text, so that nothing is too odd to be kept.
create function public.record_dead_letters(batch jsonb) returns table (kept integer)
language sql volatile security invoker set search_path = ''
as $$
  with letter as (
    insert into tollgate.dead_letters (queue, reason, detail, payload)
    select l.queue, l.reason, l.detail, l.payload
    from jsonb_to_recordset(tollgate.unwrap(batch) -> 'letters') as l (queue text, reason text, detail text, payload text)
    returning id
  )
  select count(*)::integer from letter
$$;

revoke execute on function public.record_dead_letters from public, anon, authenticated;
grant execute on function public.record_dead_letters to tollgate_usage_worker, service_role;

-- schemas/40-functions/record_logins.sql
-- Purpose: keep login sessions (`sid`). Parameters: judged events of type login.started, login.refreshed and login.ended. Returns: nothing.
-- Locks: rows of login_sessions in the order of their id. Invariant: commutative and repeatable: a login.started that
--   comes twice or after its login.ended gives the same row.
create function tollgate.record_logins(logins tollgate.judged_event[]) returns void
language sql volatile security invoker set search_path = ''
as $$
  insert into tollgate.login_sessions as t (id, organization_id, user_id, started_at, expires_at, ended_at, end_reason)
  select
    l.login_session_id, l.organization_id, l.user_id,
    min(l.time) filter (where l.type = 'login.started'), max(l.expires_at),
    min(l.time) filter (where l.type = 'login.ended'),
    (array_agg(l.end_reason order by l.time) filter (where l.type = 'login.ended'))[1]
  from unnest(logins) l
  group by l.login_session_id, l.organization_id, l.user_id
  order by l.login_session_id
  on conflict (id) do update set
    started_at = least(t.started_at, excluded.started_at),
    expires_at = greatest(t.expires_at, excluded.expires_at),
    end_reason = case when t.ended_at is null or excluded.ended_at < t.ended_at
      then coalesce(excluded.end_reason, t.end_reason) else t.end_reason end,
    ended_at = least(t.ended_at, excluded.ended_at)
$$;

grant execute on function tollgate.record_logins to tollgate_usage_worker, service_role;

-- schemas/40-functions/refuse_audit_change.sql
-- Purpose: keep the audit trail as it was written, whoever asks: service_role may otherwise do everything.
-- Trigger function of tollgate.audit_log. Raises 42501.
create function tollgate.refuse_audit_change() returns trigger
language plpgsql set search_path = ''
as $$
begin
  raise exception 'the audit trail is never edited' using errcode = 'insufficient_privilege';
end
$$;

create trigger audit_log_is_append_only before update or delete or truncate on tollgate.audit_log
  for each statement execute function tollgate.refuse_audit_change();

-- schemas/40-functions/register_deaf_gate.sql
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

-- schemas/40-functions/release_probes.sql
-- Purpose: give the identities back that corrections have claimed for originals that have not arrived.
-- Parameters: probes: see claim_identities. Returns: nothing.
-- Invariant: whoever records the original meanwhile waits until this transaction is over, and then finds the correction.
create function tollgate.release_probes(probes tollgate.judged_event[]) returns void
language sql volatile security invoker set search_path = ''
as $$
  delete from tollgate.usage_event_identities i
  using unnest(probes) p
  where i.organization_id = p.organization_id and i.digest = p.digest
$$;

grant execute on function tollgate.release_probes to tollgate_usage_worker, service_role;

-- schemas/40-functions/release_reservations.sql
-- Purpose: give holds back whose calls were not made. Parameters: batch = { "releases": [{ id, organization_id (of the key;
--   absent: any) }, …] }.
-- Returns: a row a release: i (0-based), outcome (released: also one that ended without usage before | closed: its usage
--   was accepted | unknown), state, organization_id.
-- Locks: reserved_totals of the holds' organizations, sorted. Invariant: a hold is given back once.
create function public.release_reservations(batch jsonb) returns table (i integer, outcome text, state text, organization_id uuid)
language plpgsql volatile security invoker set search_path = '' set jit = off
as $$
#variable_conflict use_column
declare
  releases jsonb := tollgate.unwrap(batch) -> 'releases';
begin
  perform tollgate.lock_holds(array(
    select distinct r.organization_id from jsonb_array_elements(releases) e
    join tollgate.reservations r on r.id = (e.value ->> 'id')::uuid));

  with gone as (
    update tollgate.reservations r set state = 'released', ended_at = now()
    from (select distinct (e.value ->> 'id')::uuid as id, (e.value ->> 'organization_id')::uuid as key_organization_id
      from jsonb_array_elements(releases) e) a
    where r.id = a.id and r.state = 'held' and r.organization_id = coalesce(a.key_organization_id, r.organization_id)
    returning r.organization_id, r.total_tokens
  )
  update tollgate.reserved_totals t
  set reserved_tokens = t.reserved_tokens - g.total_tokens, updated_at = now()
  from (select organization_id, sum(total_tokens) as total_tokens from gone group by organization_id) g
  where t.organization_id = g.organization_id;

  return query
    select e.ordinality::integer - 1,
      case
        when r.id is null then 'unknown' when r.state in ('released', 'expired') and not r.is_late then 'released'
        else 'closed' end,
      r.state, r.organization_id
    from jsonb_array_elements(releases) with ordinality e
    left join tollgate.reservations r on r.id = (e.value ->> 'id')::uuid
      and r.organization_id = coalesce((e.value ->> 'organization_id')::uuid, r.organization_id)
    order by e.ordinality;
end
$$;

revoke execute on function public.release_reservations from public, anon, authenticated;
grant execute on function public.release_reservations to tollgate_token_api, service_role;

-- schemas/40-functions/repair_day.sql
-- Purpose: set the rollups of a day to the sum of ledger and closing figures. Parameters: for_organization, for_date.
-- Returns: nothing.
-- Locks: a share of the organization's months, usage_by_month, then all rows of the day in usage_metrics, usage_by_model, then the sessions that lack a row, usage_by_organization_model,
--   user_quotas of the day's users (whoever of them has a limit is looked at again), the periods that lack one: each in the order of its key, and one after the other as ingest_usage does.
-- Invariant: recomputed, never incremented. The rows are locked before the ledger is read by a statement of its own: what
--   has not committed by then waits for these locks and adds itself afterwards. A row that nothing explains becomes zero.
--   Only rows that were locked are written: one that comes meanwhile is right, and locking it would break the order.
create function tollgate.repair_day(for_organization uuid, for_date date) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  users public.usage_metrics[];
  models tollgate.usage_by_model[];
  organization_models tollgate.usage_by_organization_model[];
begin
  perform tollgate.unfold_months(array[for_organization], array[for_date]);
  insert into public.usage_metrics (organization_id, user_id, date)
  select for_organization, f.user_id, for_date from tollgate.fold_usage_metrics(for_organization, for_date) f
  order by f.user_id
  on conflict do nothing;
  users := array(select m from public.usage_metrics m where m.organization_id = for_organization and m.date = for_date
    order by m.user_id for update);
  insert into tollgate.usage_by_model (organization_id, date, model, user_id, input_tokens, output_tokens,
    cache_read_input_tokens, cache_creation_input_tokens, reasoning_output_tokens, total_tokens, cost_usd, charge_usd,
    message_count, event_count, unpriced_events)
  select for_organization, for_date, f.model, f.user_id, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
  from tollgate.fold_usage_by_model(for_organization, for_date) f
  order by f.model, f.user_id
  on conflict do nothing;
  models := array(select m from tollgate.usage_by_model m where m.organization_id = for_organization and m.date = for_date
    order by m.model, m.user_id for update);
  perform tollgate.add_missing_sessions(for_organization, for_date);
  insert into tollgate.usage_by_organization_model (organization_id, date, model, input_tokens, output_tokens,
    cache_read_input_tokens, cache_creation_input_tokens, reasoning_output_tokens, total_tokens, cost_usd, charge_usd,
    message_count, event_count, unpriced_events)
  select for_organization, for_date, f.model, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
  from tollgate.fold_organization_models(for_organization, for_date) f
  order by f.model
  on conflict do nothing;
  organization_models := array(select m from tollgate.usage_by_organization_model m
    where m.organization_id = for_organization and m.date = for_date order by m.model for update);
  perform tollgate.mark_due_users(
    array(select for_organization from unnest(users) u), array(select u.user_id from unnest(users) u), true);
  perform tollgate.add_missing_periods(for_organization, for_date);

  update public.usage_metrics m set
    tokens_used = coalesce(f.tokens_used, 0), input_tokens = coalesce(f.input_tokens, 0),
    output_tokens = coalesce(f.output_tokens, 0), cost_usd = coalesce(f.cost_usd, 0),
    charge_usd = coalesce(f.charge_usd, 0), message_count = coalesce(f.message_count, 0),
    event_count = coalesce(f.event_count, 0), unpriced_events = coalesce(f.unpriced_events, 0), updated_at = now()
  from (select k.user_id as key_user_id, s.* from unnest(users) k
    left join tollgate.fold_usage_metrics(for_organization, for_date) s on s.user_id = k.user_id) f
  where m.organization_id = for_organization and m.date = for_date and m.user_id = f.key_user_id
    -- A row from before Tollgate is made an opening balance by post_opening_balances, never zero.
    and (f.tokens_used is not null or (select (i.installed_at at time zone 'UTC')::date from tollgate.installation i) <= for_date);

  update tollgate.usage_by_model m set
    total_tokens = coalesce(f.total_tokens, 0), input_tokens = coalesce(f.input_tokens, 0),
    output_tokens = coalesce(f.output_tokens, 0), cache_read_input_tokens = coalesce(f.cache_read_input_tokens, 0),
    cache_creation_input_tokens = coalesce(f.cache_creation_input_tokens, 0),
    reasoning_output_tokens = coalesce(f.reasoning_output_tokens, 0), cost_usd = coalesce(f.cost_usd, 0),
    charge_usd = coalesce(f.charge_usd, 0), message_count = coalesce(f.message_count, 0),
    event_count = coalesce(f.event_count, 0), unpriced_events = coalesce(f.unpriced_events, 0)
  from (select k.model as key_model, k.user_id as key_user_id, s.* from unnest(models) k
    left join tollgate.fold_usage_by_model(for_organization, for_date) s on s.model = k.model and s.user_id = k.user_id) f
  where m.organization_id = for_organization and m.date = for_date and m.model = f.key_model and m.user_id = f.key_user_id;

  update tollgate.usage_by_organization_model m set
    total_tokens = coalesce(f.total_tokens, 0), input_tokens = coalesce(f.input_tokens, 0),
    output_tokens = coalesce(f.output_tokens, 0), cache_read_input_tokens = coalesce(f.cache_read_input_tokens, 0),
    cache_creation_input_tokens = coalesce(f.cache_creation_input_tokens, 0),
    reasoning_output_tokens = coalesce(f.reasoning_output_tokens, 0), cost_usd = coalesce(f.cost_usd, 0),
    charge_usd = coalesce(f.charge_usd, 0), message_count = coalesce(f.message_count, 0),
    event_count = coalesce(f.event_count, 0), unpriced_events = coalesce(f.unpriced_events, 0)
  from (select k.model as key_model, s.* from unnest(organization_models) k
    left join tollgate.fold_organization_models(for_organization, for_date) s on s.model = k.model) f
  where m.organization_id = for_organization and m.date = for_date and m.model = f.key_model;
end
$$;

-- Purpose: give sessions that the ledger of a day speaks of the row they lack; its figures follow when its own turn comes.
-- Parameters: as above. Returns: nothing. Locks: the new rows of chat_sessions, in the order of their key.
create function tollgate.add_missing_sessions(for_organization uuid, for_date date) returns void
language sql volatile security invoker set search_path = ''
as $$
  insert into public.chat_sessions (
    organization_id, user_id, librechat_session_id, model_used, model_used_at, started_at, last_activity_at)
  select for_organization, e.user_id, e.session_id, (array_agg(e.model order by e.time desc, e.model desc))[1], max(e.time),
    min(e.time), max(e.time)
  from tollgate.usage_events e
  where e.organization_id = for_organization and e.usage_date = for_date and e.entry <> 'opening_balance'
  group by e.user_id, e.session_id
  order by e.user_id, e.session_id
  on conflict do nothing
$$;

-- Purpose: likewise periods. Parameters: as above. Returns: nothing. Locks: the new rows of period_totals, sorted.
create function tollgate.add_missing_periods(for_organization uuid, for_date date) returns void
language sql volatile security invoker set search_path = ''
as $$
  insert into tollgate.period_totals (organization_id, period_start)
  select distinct for_organization, e.period_start from tollgate.usage_events e
  where e.organization_id = for_organization and e.usage_date = for_date
  order by e.period_start
  on conflict do nothing
$$;

grant execute on function tollgate.repair_day, tollgate.add_missing_sessions, tollgate.add_missing_periods
  to tollgate_usage_worker, service_role;

-- schemas/40-functions/replay_dead_letters.sql
-- Purpose: hand dead letters to the workers again, through the inbox. Parameters: selection (see select_dead_letters).
-- Returns: one row: replayed (letters), events, unreadable: jsonb array of ids (text) that hold no events and stay.
-- Locks: dead letters in the order of their id. Invariant: a letter is either kept or in the inbox; a row of the inbox
--   an event, so that one that fails again stands alone; an event that was counted meanwhile is a duplicate.
create function public.replay_dead_letters(selection jsonb)
returns table (replayed integer, events integer, unreadable jsonb)
language sql volatile security invoker set search_path = ''
as $$
  with chosen as materialized (
    select d.id, tollgate.read_dead_letter(d.payload) as events
    from tollgate.dead_letters d
    where d.id in (select tollgate.select_dead_letters(tollgate.unwrap(selection)))
    order by d.id for update
  ), parked as (
    insert into tollgate.event_inbox (events)
    select jsonb_build_array(e.event) from chosen c cross join lateral jsonb_array_elements(c.events) e (event)
    returning id
  ), taken as (
    delete from tollgate.dead_letters d using chosen c where d.id = c.id and c.events is not null returning d.id
  )
  select t.taken::integer, (select count(*) from parked)::integer,
    coalesce((select jsonb_agg(c.id::text order by c.id) from chosen c where c.events is null), '[]')
  from (select count(*) as taken from taken) t
  cross join lateral tollgate.record_audit(
    'cli', 'dead_letters.replayed', 'dead_letters:selection', jsonb_build_object('selection', selection, 'letters', t.taken))
$$;

revoke execute on function public.replay_dead_letters from public, anon, authenticated;
grant execute on function public.replay_dead_letters to service_role;

-- schemas/40-functions/rerate_entries.sql
-- Purpose: what the price book now says of usage that is in the ledger, as adjusting entries.
-- Parameters: for_organization, for_date, bucket of buckets (a share of the day's events, by digest), only_model (null: all).
-- Returns: one `rerate` entry an event whose cost differs from what is posted, or that had no price and has one now. Reads
--   only. A price that is no longer in the book changes nothing: what was charged is not taken back to unknown.
-- Invariant: an entry is the difference between the price now and the sum of what is posted, corrections and former
--   re-rates included; so a repetition finds nothing. Price, day, session and period are those of the event's time.
create function tollgate.rerate_entries(
  for_organization uuid, for_date date, bucket integer, buckets integer, only_model text)
returns setof tollgate.judged_event
language sql stable security invoker set search_path = ''
as $$
  with posted as materialized (
    select e.digest, e.user_id, e.session_id, e.model, min(e.source) as source, min(e.event_id) as event_id,
      min(e.time) as time, min(e.provider) as provider, sum(e.input_tokens) as input_tokens,
      sum(e.output_tokens) as output_tokens, sum(e.cache_read_input_tokens) as cache_read_input_tokens,
      sum(e.cache_creation_input_tokens) as cache_creation_input_tokens,
      sum(e.reasoning_output_tokens) as reasoning_output_tokens, sum(e.event_count) as event_count,
      sum(e.unpriced_events) as unpriced_events, coalesce(sum(e.cost_usd), 0) as cost_usd,
      coalesce(sum(e.charge_usd), 0) as charge_usd, max(e.price_id) filter (where e.cost_usd is not null) as price_id,
      max(coalesce(e.original_period_start, e.period_start)) as period_start,
      row_number() over () as ordinal
    from tollgate.usage_events e
    where e.organization_id = for_organization and e.usage_date = for_date and e.entry <> 'opening_balance'
      and (only_model is null or e.model = only_model) and get_byte(e.digest, 0) % buckets = bucket
    group by e.digest, e.user_id, e.session_id, e.model
  ), judged as materialized (
    select j from tollgate.judge_events(jsonb_build_object('events', coalesce((
      select jsonb_agg(jsonb_build_object('type', 'usage.recorded', 'organization_id', for_organization,
        'source', p.source, 'id', p.event_id, 'time', p.time, 'received_at', now(), 'member', true, 'imported', true,
        'user_id', p.user_id, 'session_id', p.session_id, 'provider', p.provider, 'model', p.model,
        'input_tokens', p.input_tokens, 'output_tokens', p.output_tokens,
        'cache_read_input_tokens', p.cache_read_input_tokens,
        'cache_creation_input_tokens', p.cache_creation_input_tokens,
        'reasoning_output_tokens', p.reasoning_output_tokens, 'message_count', 0) order by p.ordinal)
      from posted p), '[]'))) j
  ), difference as (
    select (x.j) as j, p.*,
      -- A voided event costs nothing, whatever the price.
      case when p.event_count = 0 then 0 else (x.j).cost_usd end - p.cost_usd as cost_difference,
      case when p.event_count = 0 then 0 else (x.j).charge_usd end - p.charge_usd as charge_difference
    from posted p join judged x on (x.j).ordinal = p.ordinal
    where (x.j).price_id is not null or p.event_count = 0
  )
  -- The digest is the event's own: of an erased user's, source and id say something else by now.
  select jsonb_populate_record(d.j, jsonb_build_object('entry', 'rerate', 'digest', d.digest, 'received_at', now(), 'imported', false,
    'after_revocation', false, 'input_tokens', 0, 'output_tokens', 0, 'cache_read_input_tokens', 0,
    'cache_creation_input_tokens', 0, 'reasoning_output_tokens', 0, 'total_tokens', 0, 'message_count', 0,
    'event_count', 0, 'unpriced_events', -d.unpriced_events, 'usage_date', for_date, 'period_start', d.period_start,
    'is_current_period', d.period_start = (
      select c.period_start from tollgate.organization_period(for_organization) c),
    'cost_usd', d.cost_difference, 'charge_usd', d.charge_difference))
  from difference d
  where d.cost_difference <> 0 or d.unpriced_events <> 0
$$;

grant execute on function tollgate.rerate_entries to service_role;

-- schemas/40-functions/rerate_usage.sql
-- Purpose: re-rate one day of an organization, or a share of it: show the difference, or post it.
-- Parameters: request = { organization_id, date, bucket, buckets, model? (null: all), dry_run }.
-- Returns: a row a model: model, events, newly_priced, cost_difference and charge_difference (as text).
-- Locks: re-rates of the organization one after the other; a share of the books, since who has read a partition and then
--   writes to it must not meet whoever makes or drops one; a share of the periods; identities of the events against
--   corrections; then as ingest_usage: usage_metrics, usage_by_model, chat_sessions, usage_by_organization_model,
--   user_quotas, period_totals, each sorted.
-- Invariant: repeatable: what is posted is the difference to what is in the ledger.
create function public.rerate_usage(request jsonb)
returns table (model text, events integer, newly_priced integer, cost_difference text, charge_difference text)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
  entries tollgate.judged_event[];
begin
  select r.* into asked from jsonb_to_record(tollgate.unwrap(request)) as r (
    organization_id uuid, date date, bucket integer, buckets integer, model text, dry_run boolean);
  if not asked.dry_run then
    perform pg_advisory_xact_lock(hashtext('tollgate.rerate'), hashtext(asked.organization_id::text));
    perform pg_advisory_xact_lock_shared(hashtext('tollgate.books'));
    perform pg_advisory_xact_lock_shared(hashtext('tollgate.periods'));
    perform from tollgate.usage_event_identities i
    where i.organization_id = asked.organization_id and i.digest in (
      select e.digest from tollgate.usage_events e
      where e.organization_id = asked.organization_id and e.usage_date = asked.date
        and (asked.model is null or e.model = asked.model) and get_byte(e.digest, 0) % asked.buckets = asked.bucket)
    order by i.organization_id, i.digest for update;
  end if;
  entries := array(select e from tollgate.rerate_entries(
    asked.organization_id, asked.date, asked.bucket, asked.buckets, asked.model) e);
  if not asked.dry_run and cardinality(entries) > 0 then
    perform tollgate.post_entries(entries);
    perform tollgate.record_audit('cli', 'usage.rerated', 'organization:' || asked.organization_id,
      tollgate.unwrap(request) || jsonb_build_object('entries', cardinality(entries)));
  end if;
  return query
    select e.model, count(*)::integer, (-sum(e.unpriced_events))::integer, sum(e.cost_usd)::text, sum(e.charge_usd)::text
    from unnest(entries) e group by e.model order by e.model;
end
$$;

-- Purpose: post adjusting entries that came by no event. Parameters: entries. Returns: nothing.
-- Locks: as ingest_usage, after the identities. Invariant: an entry of a closed period posts to the open one.
create function tollgate.post_entries(entries tollgate.judged_event[]) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  posted tollgate.judged_event[];
  with_due_users uuid[];
begin
  perform pg_advisory_xact_lock_shared(hashtext('tollgate.periods'));
  posted := tollgate.post_to_open_periods(entries);
  perform tollgate.append_ledger(posted);
  perform tollgate.unfold_months(
    array(select e.organization_id from unnest(posted) e), array(select e.usage_date from unnest(posted) e));
  perform tollgate.roll_up_days(posted);
  perform tollgate.roll_up_sessions(posted);
  perform tollgate.roll_up_organization_models(posted);
  with_due_users := tollgate.mark_due_users(
    array(select e.organization_id from unnest(posted) e), array(select e.user_id from unnest(posted) e));
  perform tollgate.add_period_totals(posted, with_due_users);
end
$$;

revoke execute on function public.rerate_usage from public, anon, authenticated;
grant execute on function public.rerate_usage, tollgate.post_entries to service_role;

-- schemas/40-functions/reseal_webhooks.sql
-- Purpose: endpoints whose secrets were sealed with another key than the one in force. Parameters: query = { key_prefix (what each
--   secret sealed with it begins with), max_rows, after? (an endpoint's id, exclusive; absent: from the first) }.
-- Returns: a row an endpoint, by id, with what is to be sealed anew. Reads only.
create function public.list_old_seals(query jsonb)
returns table (id uuid, sealed_secret text, previous_sealed_secret text)
language sql stable security invoker set search_path = ''
as $$
  select e.id, e.sealed_secret, e.previous_sealed_secret
  from jsonb_to_record(tollgate.unwrap(query)) as q (key_prefix text, max_rows integer, after uuid)
  join tollgate.webhook_endpoints e
    on (q.after is null or e.id > q.after)
    and (not starts_with(e.sealed_secret, q.key_prefix) or not starts_with(e.previous_sealed_secret, q.key_prefix))
  order by e.id
  limit (select q.max_rows from jsonb_to_record(tollgate.unwrap(query)) as q (max_rows integer))
$$;

-- Purpose: put secrets back that were sealed anew. Parameters: change = { id, from_sealed (what was sealed before), sealed_secret,
--   previous_sealed_secret (null: there is none) }. Returns: one row: done (false: it was rotated meanwhile). Locks: the endpoint.
-- Invariant: a secret that was rotated meanwhile is never overwritten.
create function public.reseal_webhook(change jsonb) returns table (done boolean)
language sql volatile security invoker set search_path = ''
as $$
  with resealed as (
    update tollgate.webhook_endpoints e
    set sealed_secret = c.sealed_secret, previous_sealed_secret = c.previous_sealed_secret
    from jsonb_to_record(tollgate.unwrap(change)) as c (
      id uuid, from_sealed text, sealed_secret text, previous_sealed_secret text)
    where e.id = c.id and e.sealed_secret = c.from_sealed
    returning e.id
  )
  select exists (select from resealed)
$$;

revoke execute on function public.list_old_seals, public.reseal_webhook from public, anon, authenticated;
grant execute on function public.list_old_seals, public.reseal_webhook to tollgate_quota_enforcer, service_role;

-- schemas/40-functions/reserve_tokens.sql
-- Purpose: hold LLM tokens for calls that are about to begin: all budgets of a request together, or nothing.
-- Parameters: batch = { "requests": [{ id, organization_id, user_id, session_id, total_tokens, ttl_seconds,
--   idempotency_key? }, …], "observe"? (true: nobody is to be refused) }, in the order in which they came; of members of
--   their organizations.
-- Returns: a row a request, in no certain order: i (0-based), outcome (held | refused | closed: the organization or user is
--   revoked | conflict: the key was used for another request | unknown_organization), the hold (also a repeated one),
--   remaining_tokens of the tightest budget (null: no limit), refusal = { scope, limit_tokens, used_tokens, reserved_tokens,
--   reason } and retry_at, decision_id (why whatever refused, else the organization, stands where it stands), and, once an
--   organization, in the row of its first request, where it stands after the call: limit_tokens to as_of.
-- Locks: reserved_totals of the organizations, sorted, in a statement of its own, before anything is read: whoever adds usage
--   that settles a hold has the same lock, so used + held is never read too low. Then grants that are to be settled.
-- Invariant: used + open holds never passes a limit by a grant; an id or key that is repeated holds once, and another request
--   under the same key is a conflict. Whoever is revoked, by the ladder or by hand, holds nothing. Where all that is asked of
--   an organization is new and fits, everything is held at once; else hold_in_turn decides on each of its requests.
create function public.reserve_tokens(batch jsonb)
returns table (
  i integer, outcome text, id uuid, total_tokens text, state text, expires_at timestamptz, remaining_tokens text,
  refusal jsonb, retry_at timestamptz, decision_id uuid, organization_id uuid, limit_tokens text, used_tokens text,
  reserved_tokens text, period_start timestamptz, period_end timestamptz, as_of timestamptz)
language plpgsql volatile security invoker set search_path = ''
-- Short statements of many parts: compiling or planning them anew would take longer than running them.
-- Whatever a table holds while they are planned, it is looked into by an index later.
set jit = off set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(batch);
  requests tollgate.hold_request[];
  organizations uuid[];
  tokens bigint[]; -- asked of each
  repeated uuid[]; -- of which a request is repeated within the call
  locked integer;
  budgets tollgate.hold_budget[];
  fitting uuid[]; -- organizations of which everything is new and fits
  holds_due boolean;
  grants_due uuid[];
  held_at timestamptz;
begin
  with request as materialized (
    select r.ordinality::integer as ordinal, r.*
    from rows from (jsonb_to_recordset(asked -> 'requests') as (
      id uuid, organization_id uuid, user_id uuid, session_id text, total_tokens bigint, ttl_seconds integer,
      idempotency_key text)) with ordinality r
  ), demand as (
    select k.organization_id, sum(k.total_tokens)::bigint as tokens, bool_or(k.times > 1) as is_repeated
    from (
      select r.organization_id, sum(r.total_tokens) as total_tokens, count(*) as times
      from request r group by r.organization_id, r.idempotency_key, case when r.idempotency_key is null then r.id end) k
    group by k.organization_id order by k.organization_id
  )
  select
    (select array_agg((r.ordinal, r.id, r.organization_id, r.user_id, r.session_id, r.total_tokens, r.ttl_seconds,
      r.idempotency_key)::tollgate.hold_request) from request r),
    array_agg(d.organization_id), array_agg(d.tokens), array_agg(d.organization_id) filter (where d.is_repeated)
  into requests, organizations, tokens, repeated from demand d;

  -- All of them or none: whoever has some locked must not wait for a row that another inserts.
  perform from tollgate.reserved_totals t
  where t.organization_id = any(organizations)
    and (select count(*) from tollgate.reserved_totals k where k.organization_id = any(organizations))
      = cardinality(organizations)
  order by t.organization_id for update;
  get diagnostics locked = row_count;
  if locked < cardinality(organizations) then
    insert into tollgate.reserved_totals (organization_id)
    select d.organization_id from tollgate.directory_organizations d
    where d.organization_id = any(organizations) order by d.organization_id
    on conflict do nothing;
    perform tollgate.lock_holds(organizations);
  end if;

  for turn in 1 .. 2 loop
    select array_agg(b), bool_or(b.has_due_holds), array_agg(b.organization_id) filter (where b.has_due_grants),
      array_agg(b.organization_id) filter (where not b.is_closed and not b.limits_users and b.session_max_tokens is null
        and coalesce(b.asked_tokens <= b.limit_tokens - b.used_tokens - b.reserved_tokens, true)
        and b.organization_id <> all (repeated || array(
          select r.organization_id from unnest(requests) r
          -- Subqueries, not joins: whatever the planner takes the table's size to be, each is one look into an index.
          where (select h.id from tollgate.reservations h where h.id = r.id) is not null
            or (r.idempotency_key is not null and (select h.id from tollgate.reservations h
              where h.organization_id = r.organization_id and h.idempotency_key = r.idempotency_key) is not null))))
    into budgets, holds_due, grants_due, fitting
    from tollgate.organization_budgets(organizations, tokens, coalesce((asked ->> 'observe')::boolean, false)) b;
    exit when grants_due is null or turn = 2;
    -- A grant that has expired, or was spent in a period that is over, adds nothing any more, though nobody has settled it yet.
    perform public.settle_grants(d.organization_id) from (
      select o.organization_id from unnest(grants_due) o (organization_id) order by o.organization_id offset 0) d;
  end loop;
  if holds_due then perform tollgate.expire_holds(organizations, 1000); end if;

  held_at := clock_timestamp();
  if coalesce(cardinality(fitting), 0) < cardinality(organizations) then
    return query select * from tollgate.hold_in_turn(
      array(select r from unnest(requests) r where (r.organization_id = any(fitting)) is not true),
      array(select b from unnest(budgets) b where (b.organization_id = any(fitting)) is not true), held_at);
    if fitting is null then return; end if;
    requests := array(select r from unnest(requests) r where r.organization_id = any(fitting));
    budgets := array(select b from unnest(budgets) b where b.organization_id = any(fitting));
  end if;

  return query
    with held as (
      insert into tollgate.reservations (
        id, organization_id, user_id, session_id, total_tokens, created_at, expires_at, idempotency_key)
      select r.id, r.organization_id, r.user_id, r.session_id, r.total_tokens, held_at,
        held_at + r.ttl_seconds * interval '1 second', r.idempotency_key
      from unnest(requests) r
    ), total as (
      update tollgate.reserved_totals t set reserved_tokens = t.reserved_tokens + b.asked_tokens, updated_at = now()
      from unnest(budgets) b where t.organization_id = b.organization_id
    )
    select r.ordinal - 1, 'held', r.id, r.total_tokens::text, 'held', held_at + r.ttl_seconds * interval '1 second',
      (b.limit_tokens - b.used_tokens - b.reserved_tokens - (sum(r.total_tokens) over turn)::bigint)::text,
      null::jsonb, null::timestamptz, b.decision_id, b.organization_id,
      case when row_number() over turn = 1 then b.limit_tokens end::text,
      case when row_number() over turn = 1 then b.used_tokens end::text,
      case when row_number() over turn = 1 then b.reserved_tokens + b.asked_tokens end::text,
      case when row_number() over turn = 1 then b.period_start end,
      case when row_number() over turn = 1 then b.period_end end,
      case when row_number() over turn = 1 then clock_timestamp() end
    from unnest(requests) r join unnest(budgets) b on b.organization_id = r.organization_id
    window turn as (partition by r.organization_id order by r.ordinal);
end
$$;

revoke execute on function public.reserve_tokens from public, anon, authenticated;
grant execute on function public.reserve_tokens to tollgate_token_api, service_role;

-- schemas/40-functions/resolve_model.sql
-- Purpose: the name under which the price book keeps a provider. Parameters: reported_provider (null: the model's maker is
--   assumed). Returns: a name, null for null. Reads nothing; without `set`, so that it is inlined.
create function tollgate.priced_provider(reported_provider text) returns text
language sql immutable parallel safe
return case lower(reported_provider)
  when 'openai_responses' then 'openai'
  when 'gcp.gemini' then 'google' when 'gcp.vertex_ai' then 'google' when 'gcp.gen_ai' then 'google'
  when 'gemini' then 'google' when 'vertexai' then 'google'
  when 'aws.bedrock' then 'aws' when 'bedrock' then 'aws'
  when 'azure.ai.openai' then 'azure' when 'azure.ai.inference' then 'azure' when 'azureopenai' then 'azure'
  when 'mistral_ai' then 'mistral' when 'mistralai' then 'mistral'
  when 'x_ai' then 'x-ai' when 'xai' then 'x-ai'
  else lower(reported_provider)
end;

-- Purpose: find under which provider and name the price book keeps a model.
-- Parameters: reported_provider (null: the model's maker is assumed), reported_model.
-- Returns: no row, or one (provider, model). Exact name, whole alias, name without its date, longest matching beginning, in this order.
-- Invariant: a provider that was reported is never replaced by another one: their prices differ.
create function tollgate.resolve_model(reported_provider text, reported_model text)
returns table (provider text, model text)
language sql stable security invoker set search_path = ''
as $$
  with named as (
    select tollgate.priced_provider(reported_provider) as provider
  ), candidate as (
    select p.provider, p.model, 1 as rank, 0 as matched from tollgate.model_prices p where p.model = reported_model
    union all
    select a.provider, a.model, 2, 0 from tollgate.model_aliases a where a.alias = reported_model and not a.is_prefix
    union all
    -- A dated release without a price of its own costs what its model costs.
    select p.provider, p.model, 3, 0 from tollgate.model_prices p
    where p.model = regexp_replace(reported_model, '-(\d{8}|\d{4}-\d{2}-\d{2}|latest)$', '') and p.model <> reported_model
    union all
    select a.provider, a.model, 4, length(a.alias) from tollgate.model_aliases a
    where a.is_prefix and starts_with(reported_model, a.alias)
  )
  select c.provider, c.model
  from candidate c, named n
  where n.provider is null or c.provider = n.provider
  order by
    array_position(array['openai', 'anthropic', 'google', 'mistral', 'deepseek', 'x-ai', 'cohere'], c.provider),
    c.rank, c.matched desc, c.provider
  limit 1
$$;

grant execute on function tollgate.priced_provider, tollgate.resolve_model to tollgate_usage_worker, service_role;

-- schemas/40-functions/revoke_logins.sql
-- Purpose: take back what was issued: a login session, all of a user, or one access token.
-- Parameters: request = { actor, reason, session_id? | user_id? | token?: { jti, sid, user_id, organization_id, expires_at },
--   of_user? and of_organization? (what belongs to somebody else is left alone) }.
-- Returns: one row: revoked (what gates must refuse: [{ kind, id, expires_at }]), ended (login sessions that were open),
--   deaf_ms (how long a gate that reads Postgres alone may go on with what it read before; 0: there is none).
-- Locks: the gate's shared advisory lock, then sessions in the order of their ids. Invariant: whatever is no logout is in
--   the audit trail; a repeated call gives the same `revoked`.
create function public.revoke_logins(request jsonb) returns table (revoked jsonb, ended integer, deaf_ms integer)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(request);
  token jsonb := asked -> 'token';
  ids uuid[];
begin
  perform pg_advisory_xact_lock_shared(hashtext('tollgate.gate'));
  if token is null then
    select array_agg(s.id order by s.id), count(*) filter (where s.ended_at is null) into ids, ended
    from tollgate.login_sessions s
    where (s.id = (asked ->> 'session_id')::uuid or s.user_id = (asked ->> 'user_id')::uuid)
      and (s.ended_at is null or s.access_expires_at > now() - interval '10 minutes')
      and (asked ->> 'of_user' is null or s.user_id = (asked ->> 'of_user')::uuid)
      and (asked ->> 'of_organization' is null or s.organization_id = (asked ->> 'of_organization')::uuid);
    revoked := tollgate.end_logins(coalesce(ids, '{}'), asked ->> 'reason');
  else
    insert into tollgate.token_revocations as r (kind, id, expires_at)
    values ('jti', (token ->> 'jti')::uuid,
      greatest(to_timestamp((token ->> 'expires_at')::float), now()) + interval '10 minutes') -- as in end_logins
    on conflict do nothing;
    select jsonb_build_array(jsonb_build_object('kind', r.kind, 'id', r.id, 'expires_at', extract(epoch from r.expires_at)::bigint))
    into revoked from tollgate.token_revocations r where r.kind = 'jti' and r.id = (token ->> 'jti')::uuid;
    ended := 0;
  end if;
  if asked ->> 'reason' <> 'logout' and (ended > 0 or token is not null) then
    perform tollgate.record_audit(asked ->> 'actor',
      case when token is null then 'login_sessions.ended' else 'access_token.revoked' end,
      coalesce('login_session:' || (asked ->> 'session_id'), 'user:' || (asked ->> 'user_id'), 'token:' || (token ->> 'jti')),
      jsonb_build_object('reason', asked ->> 'reason', 'ended', ended),
      coalesce((token ->> 'organization_id')::uuid,
        (select s.organization_id from tollgate.login_sessions s where s.id = ids[1])));
  end if;
  -- A gate may have registered only before this transaction got its lock, or after its commit.
  select coalesce(ceil(max(extract(epoch from g.leased_until - clock_timestamp())) * 1000), 0)::integer into deaf_ms
  from tollgate.deaf_gates g where g.leased_until > clock_timestamp();
  return next;
end
$$;

revoke execute on function public.revoke_logins from public, anon, authenticated;
grant execute on function public.revoke_logins to tollgate_token_api, service_role;

-- schemas/40-functions/revoke_service_key.sql
-- Purpose: end a key at once. Parameters: change = { id, actor }.
-- Returns: no row for an unknown key, else one: the key. Locks: its row.
-- Invariant: a key that is revoked stays as it is, and the trail says it once.
create function public.revoke_service_key(change jsonb) returns setof tollgate.service_key_view
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
  ended tollgate.service_keys;
begin
  select * into asked from jsonb_to_record(tollgate.unwrap(change)) as c (id uuid, actor text);
  update tollgate.service_keys k set revoked_at = now() where k.id = asked.id and k.revoked_at is null
  returning k.* into ended;
  if ended.id is not null then
    perform tollgate.record_audit(asked.actor, 'key.revoked', 'key:' || ended.id,
      jsonb_build_object('name', ended.name, 'prefix', ended.key_prefix), ended.organization_id);
  end if;
  return query select v.* from tollgate.service_key_view v where v.id = asked.id;
end
$$;

revoke execute on function public.revoke_service_key from public, anon, authenticated;
grant execute on function public.revoke_service_key to tollgate_token_api, service_role;

-- schemas/40-functions/revoked_times.sql
-- Purpose: when an organization was revoked, as far as decisions on record go. Parameters: for_organization. Returns: times,
--   null when never; the last open one has no end. For chat sessions that are to be closed; judge_events asks the same view
--   for many organizations at once. Reads only.
create function tollgate.revoked_times(for_organization uuid) returns tstzmultirange
language sql stable security invoker
return (select range_agg(r.revoked) from tollgate.revocations r where r.organization_id = for_organization);

grant execute on function tollgate.revoked_times to tollgate_usage_worker, service_role;

-- schemas/40-functions/role_rank.sql
-- Purpose: compare roles. Parameters: role. Returns: the more a role may do, the higher; 0 for none and for an unknown one.
-- Reads nothing.
create function tollgate.role_rank(role text) returns integer
language sql immutable parallel safe security invoker set search_path = ''
as $$
  select coalesce(array_position(array['user', 'admin', 'super_admin'], role), 0)
$$;

grant execute on function tollgate.role_rank to tollgate_token_api, service_role;

-- schemas/40-functions/roll_up_days.sql
-- Purpose: add ledger entries to usage_metrics and usage_by_model. Parameters: entries. Returns: nothing.
-- Locks: rows of usage_metrics, then of usage_by_model, each in the order of its primary key.
-- Invariant: both rollups are the fold of the ledger.
create function tollgate.roll_up_days(fresh tollgate.judged_event[]) returns void
language sql volatile security invoker set search_path = ''
as $$
  insert into public.usage_metrics as t (
    organization_id, user_id, date, tokens_used, input_tokens, output_tokens, cost_usd, charge_usd, message_count,
    event_count, unpriced_events)
  select
    f.organization_id, f.user_id, f.usage_date, sum(f.total_tokens), sum(f.input_tokens), sum(f.output_tokens),
    coalesce(sum(f.cost_usd), 0), coalesce(sum(f.charge_usd), 0), sum(f.message_count), sum(f.event_count),
    sum(f.unpriced_events)
  from unnest(fresh) f
  group by f.organization_id, f.user_id, f.usage_date
  order by f.organization_id, f.user_id, f.usage_date
  on conflict (organization_id, user_id, date) do update set
    tokens_used = t.tokens_used + excluded.tokens_used,
    input_tokens = t.input_tokens + excluded.input_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    cost_usd = t.cost_usd + excluded.cost_usd,
    charge_usd = t.charge_usd + excluded.charge_usd,
    message_count = t.message_count + excluded.message_count,
    event_count = t.event_count + excluded.event_count,
    unpriced_events = t.unpriced_events + excluded.unpriced_events,
    updated_at = now();

  insert into tollgate.usage_by_model as t (
    organization_id, date, model, user_id, input_tokens, output_tokens, cache_read_input_tokens,
    cache_creation_input_tokens, reasoning_output_tokens, total_tokens, cost_usd, charge_usd, message_count,
    event_count, unpriced_events)
  select
    f.organization_id, f.usage_date, f.model, f.user_id, sum(f.input_tokens), sum(f.output_tokens),
    sum(f.cache_read_input_tokens), sum(f.cache_creation_input_tokens), sum(f.reasoning_output_tokens),
    sum(f.total_tokens), coalesce(sum(f.cost_usd), 0), coalesce(sum(f.charge_usd), 0), sum(f.message_count),
    sum(f.event_count), sum(f.unpriced_events)
  from unnest(fresh) f
  group by f.organization_id, f.usage_date, f.model, f.user_id
  order by f.organization_id, f.usage_date, f.model, f.user_id
  on conflict (organization_id, date, model, user_id) do update set
    input_tokens = t.input_tokens + excluded.input_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    cache_read_input_tokens = t.cache_read_input_tokens + excluded.cache_read_input_tokens,
    cache_creation_input_tokens = t.cache_creation_input_tokens + excluded.cache_creation_input_tokens,
    reasoning_output_tokens = t.reasoning_output_tokens + excluded.reasoning_output_tokens,
    total_tokens = t.total_tokens + excluded.total_tokens,
    cost_usd = t.cost_usd + excluded.cost_usd,
    charge_usd = t.charge_usd + excluded.charge_usd,
    message_count = t.message_count + excluded.message_count,
    event_count = t.event_count + excluded.event_count,
    unpriced_events = t.unpriced_events + excluded.unpriced_events
$$;

grant execute on function tollgate.roll_up_days to tollgate_usage_worker, service_role;

-- schemas/40-functions/roll_up_organization_models.sql
-- Purpose: add ledger entries to usage_by_organization_model. Parameters: entries. Returns: nothing.
-- Locks: its rows in the order of the primary key; called late, since these rows are hot.
-- Invariant: the rollup is the fold of the ledger.
create function tollgate.roll_up_organization_models(fresh tollgate.judged_event[]) returns void
language sql volatile security invoker set search_path = ''
as $$
  insert into tollgate.usage_by_organization_model as t (
    organization_id, date, model, input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens,
    reasoning_output_tokens, total_tokens, cost_usd, charge_usd, message_count, event_count, unpriced_events)
  select
    f.organization_id, f.usage_date, f.model, sum(f.input_tokens), sum(f.output_tokens), sum(f.cache_read_input_tokens),
    sum(f.cache_creation_input_tokens), sum(f.reasoning_output_tokens), sum(f.total_tokens),
    coalesce(sum(f.cost_usd), 0), coalesce(sum(f.charge_usd), 0), sum(f.message_count), sum(f.event_count),
    sum(f.unpriced_events)
  from unnest(fresh) f
  group by f.organization_id, f.usage_date, f.model
  order by f.organization_id, f.usage_date, f.model
  on conflict (organization_id, date, model) do update set
    input_tokens = t.input_tokens + excluded.input_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    cache_read_input_tokens = t.cache_read_input_tokens + excluded.cache_read_input_tokens,
    cache_creation_input_tokens = t.cache_creation_input_tokens + excluded.cache_creation_input_tokens,
    reasoning_output_tokens = t.reasoning_output_tokens + excluded.reasoning_output_tokens,
    total_tokens = t.total_tokens + excluded.total_tokens,
    cost_usd = t.cost_usd + excluded.cost_usd,
    charge_usd = t.charge_usd + excluded.charge_usd,
    message_count = t.message_count + excluded.message_count,
    event_count = t.event_count + excluded.event_count,
    unpriced_events = t.unpriced_events + excluded.unpriced_events
$$;

grant execute on function tollgate.roll_up_organization_models to tollgate_usage_worker, service_role;

-- schemas/40-functions/roll_up_sessions.sql
-- Purpose: add usage and session events to chat_sessions. Parameters: entries of the ledger; said: session.started and
--   session.ended. Returns: nothing.
-- Locks: rows of chat_sessions in the order of its primary key.
-- Invariant: every column is a commutative fold (sum, least, greatest, newest wins with a fixed tie-break), so that
--   any order of the same events, an end before its start included, gives the same row.
create function tollgate.roll_up_sessions(entries tollgate.judged_event[], said tollgate.judged_event[] default '{}') returns void
language sql volatile security invoker set search_path = ''
set enable_nestloop = off -- the planner cannot know how many events a batch has
as $$
  with used as (
    -- The newest model comes first of its session, so that no group needs a sort of its own.
    select e.organization_id, e.user_id, e.session_id, (array_agg(e.model))[1] as model_used, max(e.time) as model_used_at,
      min(e.time) as started_at, sum(e.message_count) as message_count, sum(e.input_tokens) as input_tokens,
      sum(e.output_tokens) as output_tokens, sum(e.total_tokens) as total_tokens, sum(e.cost_usd) as cost_usd,
      sum(e.charge_usd) as charge_usd, sum(e.unpriced_events) as unpriced_events
    from (
      select f.organization_id, f.user_id, f.session_id, f.time, f.model, f.message_count, f.input_tokens, f.output_tokens,
        f.total_tokens, f.cost_usd, f.charge_usd, f.unpriced_events
      from unnest(entries) f
      order by f.organization_id, f.user_id, f.session_id, f.time desc, f.model desc
    ) e
    group by e.organization_id, e.user_id, e.session_id
  ), told as (
    select e.organization_id, e.user_id, e.session_id,
      (array_agg(e.model order by e.time desc, e.model desc) filter (where e.model is not null))[1] as model_used,
      max(e.time) filter (where e.model is not null) as model_used_at,
      (array_agg(e.metadata order by e.time desc, e.metadata desc) filter (where e.metadata is not null))[1] as metadata,
      max(e.time) filter (where e.metadata is not null) as metadata_at,
      min(e.time) as started_at, max(e.time) as last_activity_at,
      max(e.time) filter (where e.type = 'session.ended') as end_event_at,
      (array_agg(e.end_reason order by e.time desc, e.end_reason desc) filter (where e.type = 'session.ended'))[1]
        as end_event_reason
    from unnest(said) e
    group by e.organization_id, e.user_id, e.session_id
  )
  insert into public.chat_sessions as t (
    organization_id, user_id, librechat_session_id, model_used, model_used_at, session_metadata, metadata_at,
    started_at, last_activity_at, end_event_at, end_event_reason, message_count, input_tokens, output_tokens, total_tokens,
    cost_usd, charge_usd, unpriced_events)
  select
    organization_id, user_id, session_id,
    case when u.model_used is null or (s.model_used_at, s.model_used) > (u.model_used_at, u.model_used)
      then s.model_used else u.model_used end,
    greatest(u.model_used_at, s.model_used_at),
    coalesce(s.metadata, '{}')
      || jsonb_build_object('messages', coalesce(u.message_count, 0), 'tokens', coalesce(u.total_tokens, 0)),
    s.metadata_at, least(u.started_at, s.started_at), greatest(u.model_used_at, s.last_activity_at), s.end_event_at,
    s.end_event_reason, coalesce(u.message_count, 0), coalesce(u.input_tokens, 0), coalesce(u.output_tokens, 0),
    coalesce(u.total_tokens, 0), coalesce(u.cost_usd, 0), coalesce(u.charge_usd, 0), coalesce(u.unpriced_events, 0)
  from used u full join told s using (organization_id, user_id, session_id)
  order by organization_id, user_id, session_id
  on conflict (organization_id, user_id, librechat_session_id) do update set
    model_used = case when (excluded.model_used_at, excluded.model_used) > (t.model_used_at, t.model_used)
      or t.model_used is null then excluded.model_used else t.model_used end,
    model_used_at = greatest(t.model_used_at, excluded.model_used_at),
    session_metadata = case
        when t.metadata_at is null or (excluded.metadata_at, excluded.session_metadata - '{messages,tokens}'::text[])
          > (t.metadata_at, t.session_metadata - '{messages,tokens}'::text[]) then excluded.session_metadata
        else t.session_metadata
      end || jsonb_build_object('messages', t.message_count + excluded.message_count,
                                'tokens', t.total_tokens + excluded.total_tokens),
    metadata_at = greatest(t.metadata_at, excluded.metadata_at),
    started_at = least(t.started_at, excluded.started_at),
    last_activity_at = greatest(t.last_activity_at, excluded.last_activity_at),
    end_event_reason = case when (excluded.end_event_at, excluded.end_event_reason) > (t.end_event_at, t.end_event_reason)
      or t.end_event_at is null then excluded.end_event_reason else t.end_event_reason end,
    end_event_at = greatest(t.end_event_at, excluded.end_event_at),
    -- What was closed for want of news is open again with the news, until close_sessions has looked at it.
    closed_at = case when excluded.last_activity_at <= t.last_activity_at
      and coalesce(excluded.end_event_at < t.last_activity_at, true) then t.closed_at end,
    close_reason = case when excluded.last_activity_at <= t.last_activity_at
      and coalesce(excluded.end_event_at < t.last_activity_at, true) then t.close_reason end,
    message_count = t.message_count + excluded.message_count,
    input_tokens = t.input_tokens + excluded.input_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    total_tokens = t.total_tokens + excluded.total_tokens,
    cost_usd = t.cost_usd + excluded.cost_usd,
    charge_usd = t.charge_usd + excluded.charge_usd,
    unpriced_events = t.unpriced_events + excluded.unpriced_events
$$;

grant execute on function tollgate.roll_up_sessions to tollgate_usage_worker, service_role;

-- schemas/40-functions/rotate_service_key.sql
-- Purpose: replace a key by a new one of the same name, scopes, organization and expiry; the old one stays good for the
--   overlap, so that servers can be moved over one by one. Parameters: change = { id (of the old key), new_id, key_prefix, key_sha256,
--   overlap_seconds (0: the old key ends now), actor }.
-- Returns: no row for a key that is unknown, revoked, expired or replaced by another already, else one: the new key.
-- Locks: the old key's row. Invariant: after a rotation neither key is good for longer than the old one was;
--   repeated with the same new id it changes nothing.
create function public.rotate_service_key(change jsonb) returns setof tollgate.service_key_view
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
  old tollgate.service_keys;
begin
  select * into asked from jsonb_to_record(tollgate.unwrap(change)) as c (
    id uuid, new_id uuid, key_prefix text, key_sha256 text, overlap_seconds integer, actor text);
  select k.* into old from tollgate.service_keys k where k.id = asked.id for update;
  if old.replaced_by = asked.new_id then
    return query select v.* from tollgate.service_key_view v where v.id = asked.new_id;
    return;
  end if;
  if old.id is null or old.revoked_at is not null or old.replaced_by is not null or old.expires_at <= now() then return; end if;
  insert into tollgate.service_keys (id, name, key_prefix, key_hash, scopes, organization_id, expires_at, created_by)
  values (asked.new_id, old.name, asked.key_prefix, decode(asked.key_sha256, 'hex'), old.scopes, old.organization_id,
    old.expires_at, asked.actor);
  update tollgate.service_keys k set replaced_by = asked.new_id,
    expires_at = least(k.expires_at, now() + make_interval(secs => asked.overlap_seconds))
  where k.id = old.id returning k.* into old;
  perform tollgate.record_audit(asked.actor, 'key.rotated', 'key:' || old.id, jsonb_build_object('name', old.name,
    'prefix', old.key_prefix, 'new_id', asked.new_id, 'new_prefix', asked.key_prefix, 'old_expires_at', old.expires_at),
    old.organization_id);
  return query select v.* from tollgate.service_key_view v where v.id = asked.new_id;
end
$$;

revoke execute on function public.rotate_service_key from public, anon, authenticated;
grant execute on function public.rotate_service_key to tollgate_token_api, service_role;

-- schemas/40-functions/schedules_of.sql
-- Purpose: the schedules of an organization's days and periods. Parameters: for_organization.
-- Returns: its rows of period_schedules, or one that says UTC and calendar months where it has none. Reads only.
-- Invariant: for any instant exactly one of them holds (valid_from <= at < valid_to).
create function tollgate.schedules_of(for_organization uuid) returns setof tollgate.period_schedules
language sql stable security invoker set search_path = ''
as $$
  select h.* from tollgate.period_schedules h where h.organization_id = for_organization
  union all
  select for_organization, '-infinity', 'infinity', 'UTC', 1, '-infinity'
  where not exists (select from tollgate.period_schedules h where h.organization_id = for_organization)
$$;

-- Purpose: the period of an organization that holds `at`. Parameters: for_organization, at.
-- Returns: one row: time_zone, anchor_day, period_start, period_end. Reads only.
create function tollgate.organization_period(for_organization uuid, at timestamptz default now())
returns table (time_zone text, anchor_day integer, period_start timestamptz, period_end timestamptz)
language sql stable security invoker set search_path = ''
as $$
  select h.time_zone, h.anchor_day, tollgate.scheduled_start(at, h), tollgate.scheduled_end(at, h)
  from tollgate.schedules_of(for_organization) h
  where h.valid_from <= at and at < h.valid_to
$$;

grant execute on function tollgate.schedules_of, tollgate.organization_period
  to tollgate_token_api, tollgate_usage_worker, tollgate_quota_enforcer, service_role;

-- schemas/40-functions/seal_postings.sql
-- Purpose: days that two periods of an organization share: where a change of time zone went west, the first days of the new
--   schedule bear the dates of the old one's last. Parameters: for_organization. Returns: a row a day. Reads only.
create function tollgate.shared_days(for_organization uuid) returns table (date date)
language sql stable security invoker set search_path = ''
as $$
  select d::date
  from tollgate.period_schedules o
  join tollgate.period_schedules n on n.organization_id = o.organization_id and n.valid_from = o.valid_to
  cross join lateral generate_series(date_trunc('day', n.valid_from at time zone n.time_zone),
    date_trunc('day', n.valid_from at time zone o.time_zone) - interval '1 day', '1 day') d
  where o.organization_id = for_organization and o.valid_to < 'infinity'
$$;

-- Purpose: add the sums of one partition's exceptional entries to sealed_postings. Parameters: partition (name of the table).
-- Returns: nothing. Locks: rows of sealed_postings; the caller holds the lock of the books.
-- Invariant: as write_closing_figures, which calls it: once for a partition, in the transaction that drops it.
create function tollgate.seal_postings(partition text) returns void
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  execute format($sql$
    insert into tollgate.sealed_postings as t (
      organization_id, period_start, original_period_start, date, model, user_id, input_tokens, output_tokens, cost_usd,
      charge_usd, message_count, event_count, unpriced_events)
    select e.organization_id, e.period_start, coalesce(e.original_period_start, e.period_start), e.usage_date, e.model,
      e.user_id, sum(e.input_tokens), sum(e.output_tokens), coalesce(sum(e.cost_usd), 0), coalesce(sum(e.charge_usd), 0),
      sum(e.message_count), sum(e.event_count), sum(e.unpriced_events)
    from tollgate.%I e
    where e.original_period_start is not null or (e.organization_id, e.usage_date) in (
      select o.organization_id, d.date
      from (select distinct h.organization_id from tollgate.period_schedules h) o
      cross join lateral tollgate.shared_days(o.organization_id) d)
    group by 1, 2, 3, 4, 5, 6
    on conflict (organization_id, period_start, original_period_start, date, model, user_id) do update set
      input_tokens = t.input_tokens + excluded.input_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      cost_usd = t.cost_usd + excluded.cost_usd,
      charge_usd = t.charge_usd + excluded.charge_usd,
      message_count = t.message_count + excluded.message_count,
      event_count = t.event_count + excluded.event_count,
      unpriced_events = t.unpriced_events + excluded.unpriced_events$sql$, partition);
end
$$;

-- schemas/40-functions/seal_usage_partition.sql
-- Purpose: retention. Seal the oldest month of the ledger that is past it: write the closing figures of its entries by day,
--   session and period, then drop its partition. One month a call.
-- Parameters: retention_days; less than 130 is taken as 130: corrections may reach back 90 days, late usage 35.
-- Returns: no row when nothing is due, else one: partition, entries and total_tokens (as text).
-- Security definer: dropping a partition takes its owner.
-- Locks: the books against reconcile, re-rates, imports and new partitions; the partition against writers; the ledger itself only while the partition goes.
-- Invariant: ledger and closing figures together give the same sums before and after.
create function public.seal_usage_partition(retention_days integer)
returns table (partition text, entries text, total_tokens text)
language plpgsql volatile security definer set search_path = '' set timezone = 'UTC' set lock_timeout = '5s'
as $$
declare
  sealed record;
begin
  perform pg_advisory_xact_lock(hashtext('tollgate.books'));
  select c.relname into partition
  from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid
  where i.inhparent = 'tollgate.usage_events'::regclass and c.relname ~ '^usage_events_\d{6}$'
    and to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month'
      <= now() - make_interval(days => greatest(retention_days, 130))
  order by c.relname limit 1;
  if partition is null then
    return;
  end if;
  execute format('lock table tollgate.%I in share row exclusive mode', partition);
  execute format('select * from tollgate.write_closing_figures(%L)', partition) into sealed;
  execute format('alter table tollgate.usage_events detach partition tollgate.%I', partition);
  execute format('drop table tollgate.%I', partition);
  perform tollgate.record_audit('system:usage-worker', 'ledger.sealed', 'partition:' || partition, to_jsonb(sealed));
  entries := sealed.entries::text;
  total_tokens := sealed.total_tokens::text;
  return next;
end
$$;

revoke execute on function public.seal_usage_partition from public, anon, authenticated;
grant execute on function public.seal_usage_partition to tollgate_usage_worker, service_role;

-- schemas/40-functions/select_dead_letters.sql
-- Purpose: which dead letters an operator means. Parameters: selection = { ids?: [text], queue?, reason? }; what is
--   absent or null does not restrict. Returns: their ids. Reads only.
create function tollgate.select_dead_letters(selection jsonb) returns setof bigint
language sql stable security invoker set search_path = ''
as $$
  select d.id from tollgate.dead_letters d
  where (jsonb_typeof(selection -> 'ids') is distinct from 'array'
      or d.id in (select i.id::bigint from jsonb_array_elements_text(selection -> 'ids') i (id)))
    and d.queue = coalesce(selection ->> 'queue', d.queue)
    and d.reason = coalesce(selection ->> 'reason', d.reason)
$$;

-- Purpose: the events that a dead letter holds. Parameters: payload (an event, a list of events, or a job with `events` or
--   `rows`).
-- Returns: jsonb array of events; null when the payload is not readable as any of them.
-- Invariant: never an exception: one letter that jsonb refuses must not keep its neighbours from being replayed.
create function tollgate.read_dead_letter(payload text) returns jsonb
language plpgsql stable security invoker set search_path = ''
as $$
declare
  content jsonb;
begin
  content := payload::jsonb;
  return case
    when jsonb_typeof(content) = 'array' then content
    when jsonb_typeof(content -> 'events') = 'array' then content -> 'events'
    when jsonb_typeof(content -> 'rows') = 'string' then (
      select jsonb_agg(jsonb_strip_nulls(to_jsonb(r) - 'ordinality') || '{"type": "usage.recorded"}' order by r.ordinality)
      from unnest(string_to_array(content ->> 'rows', E'\n')::tollgate.usage_row[]) with ordinality r)
    when jsonb_typeof(content -> 'type') = 'string' then jsonb_build_array(content)
  end;
exception when data_exception then -- 22xxx: not JSON, or a character that jsonb does not take
  return null;
end
$$;

grant execute on function tollgate.select_dead_letters, tollgate.read_dead_letter to service_role;

-- schemas/40-functions/session_closing.sql
-- Purpose: when and why a chat session is over that nobody has ended. Parameters: of_organization, of_user, active_at (its
--   last activity), idle_for. Returns: one row (at, reason): the first of: its user has no login left (reason of the login's
--   end), its organization was revoked (organization_revoked), nothing happened for idle_for (idle). Reads only.
-- Invariant: follows from what is on record alone, not from when it is asked; a login that merely ran out ends nothing.
create function tollgate.session_closing(of_organization uuid, of_user uuid, active_at timestamptz, idle_for interval)
returns table (at timestamptz, reason text)
language sql stable security invoker set search_path = ''
as $$
  select c.at, c.reason
  from (
    select active_at + idle_for as at, 'idle' as reason, 3 as rank
    union all
    select lower(r), 'organization_revoked', 1
    from unnest(tollgate.revoked_times(of_organization)) r where lower(r) >= active_at
    union all
    select l.ended_at, coalesce(l.end_reason, 'logout'), 2
    from tollgate.login_sessions l
    where l.organization_id = of_organization and l.user_id = of_user and l.ended_at >= active_at
      and l.end_reason is distinct from 'expired'
      and not exists (
        select from tollgate.login_sessions o
        where o.organization_id = of_organization and o.user_id = of_user and o.id <> l.id
          and o.started_at <= l.ended_at and coalesce(o.ended_at, o.expires_at, 'infinity') > l.ended_at)
  ) c
  order by c.at, c.rank
  limit 1
$$;

grant execute on function tollgate.session_closing to tollgate_usage_worker, service_role;

-- schemas/40-functions/set_enforcement_control.sql
-- Purpose: pause or resume all refusals for enforcement states, or set how installations decide (enforce, observe).
-- Parameters: change = { paused?, mode?, actor, reason }. Returns: one row as load_enforcement_control, and changed.
-- Locks: the control row. Invariant: each change is on record as a decision of the whole installation, and in the audit
--   trail; what changes nothing leaves no trace.
create function public.set_enforcement_control(change jsonb)
returns table (
  changed boolean, paused boolean, mode text, epoch text, version_floor text, revision text, decision_id uuid)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(change);
  held tollgate.enforcement_control;
  wanted_paused boolean;
  wanted_mode text;
begin
  select * into held from tollgate.enforcement_control c for update;
  wanted_paused := coalesce((asked ->> 'paused')::boolean, held.paused);
  wanted_mode := coalesce(asked ->> 'mode', held.mode);
  changed := wanted_paused <> held.paused or wanted_mode <> held.mode;
  if changed then
    insert into tollgate.quota_decisions (kind, from_state, to_state, version, reason, actor, inputs)
    values ('act', concat_ws(', ', held.mode, case when held.paused then 'paused' end),
      concat_ws(', ', wanted_mode, case when wanted_paused then 'paused' end), held.version_floor,
      coalesce(asked ->> 'reason', 'settings'), asked ->> 'actor', asked)
    returning id into held.decision_id;
    update tollgate.enforcement_control c set
      paused = wanted_paused, mode = wanted_mode, decision_id = held.decision_id, changed_at = now(),
      revision = nextval('tollgate.enforcement_revision')
    returning c.* into held;
    perform tollgate.record_audit(asked ->> 'actor', 'enforcement.controlled', 'installation:tollgate',
      jsonb_build_object('paused', wanted_paused, 'mode', wanted_mode, 'reason', asked -> 'reason', 'decision_id', held.decision_id));
  end if;
  paused := held.paused; mode := held.mode; epoch := held.epoch::text; version_floor := held.version_floor::text;
  revision := held.revision::text; decision_id := held.decision_id;
  return next;
end
$$;

revoke execute on function public.set_enforcement_control from public, anon, authenticated;
grant execute on function public.set_enforcement_control to tollgate_quota_enforcer, service_role;

-- schemas/40-functions/set_markup.sql
-- Purpose: set the markup on the cost of calls that are recorded from now on, of an organization or of a plan.
-- Parameters: change = { organization_id | plan_type, percent (null: an organization as its plan, a plan none), actor }.
-- Returns: no row for an organization or plan that is not known, else one as list_markups.
-- Locks: the row of the organization's settings or of the plan. Invariant: what is recorded keeps its charge.
create function public.set_markup(change jsonb)
returns table (scope text, target text, name text, markup_percent text)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(change);
  organization uuid := (asked ->> 'organization_id')::uuid;
  plan text := asked ->> 'plan_type';
  percent numeric := (asked ->> 'percent')::numeric;
begin
  if organization is not null then
    if not exists (select from tollgate.directory_organizations o where o.organization_id = organization) then return; end if;
    insert into tollgate.organization_settings as s (organization_id, markup_percent) values (organization, percent)
    on conflict (organization_id) do update set markup_percent = excluded.markup_percent, updated_at = now();
  else
    if not exists (select from tollgate.plans p where p.plan_type = plan)
      and not exists (select from tollgate.directory_organizations o where o.plan_type = plan) then return; end if;
    insert into tollgate.plans as p (plan_type, markup_percent) values (plan, percent)
    on conflict (plan_type) do update set markup_percent = excluded.markup_percent;
  end if;
  perform tollgate.record_audit(asked ->> 'actor', 'markup.changed', coalesce('organization:' || organization, 'plan:' || plan),
    jsonb_build_object('percent', percent));
  return query select l.* from public.list_markups() l
    where (l.scope, l.target) = (case when organization is null then 'plan' else 'organization' end, coalesce(organization::text, plan));
  if not found then
    scope := case when organization is null then 'plan' else 'organization' end;
    target := coalesce(organization::text, plan);
    return next;
  end if;
end
$$;

-- Purpose: the markups that are set. Parameters: none. Returns: a row each, of plans and then of organizations: scope (plan |
--   organization), target (the plan, or the organization's id), name (of the organization), markup_percent. Reads only.
create function public.list_markups()
returns table (scope text, target text, name text, markup_percent text)
language sql stable security invoker set search_path = ''
as $$
  select m.scope, m.target, m.name, trim_scale(m.markup_percent)::text
  from (
    select 2 as rank, 'organization' as scope, s.organization_id::text as target, o.name, s.markup_percent
    from tollgate.organization_settings s
    left join tollgate.directory_organizations o on o.organization_id = s.organization_id
    union all
    select 1, 'plan', p.plan_type, null, p.markup_percent from tollgate.plans p) m
  where m.markup_percent is not null
  order by m.rank, m.name, m.target
$$;

revoke execute on function public.set_markup, public.list_markups from public, anon, authenticated;
grant execute on function public.set_markup, public.list_markups to service_role;

-- schemas/40-functions/set_plan.sql
-- Purpose: set what holds for every organization of a plan that has nothing of its own: the monthly limit, the ladder, or both.
-- Parameters: change = { plan_type, limit? (null: unlimited; absent: as it is), policy? (null: the default ladder; absent: as it
--   is), is_new? (true: also a plan that nobody has), actor }.
-- Returns: no row for a plan that is not known and that no organization has, else one as list_plans.
-- Locks: the plan's row. Invariant: the change wakes the enforcer by itself, because inputs_key no longer agrees.
create function public.set_plan(change jsonb)
returns table (plan_type text, limit_tokens text, policy jsonb, organizations integer)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(change);
  plan text := asked ->> 'plan_type';
  config jsonb := case when asked ? 'limit' then jsonb_build_object('max_tokens', asked -> 'limit') else '{}' end;
begin
  if not coalesce((asked ->> 'is_new')::boolean, false)
    and not exists (select from tollgate.plans p where p.plan_type = plan)
    and not exists (select from tollgate.directory_organizations o where o.plan_type = plan) then return; end if;
  insert into tollgate.plans as p (plan_type, librechat_config, policy)
  values (plan, config, nullif(asked -> 'policy', 'null'))
  on conflict (plan_type) do update set librechat_config = p.librechat_config || excluded.librechat_config,
    policy = case when asked ? 'policy' then excluded.policy else p.policy end;
  perform tollgate.record_audit(asked ->> 'actor', 'plan.changed', 'plan:' || plan, asked - array['plan_type', 'actor', 'is_new']);
  return query select l.* from public.list_plans() l where l.plan_type = plan;
end
$$;

-- Purpose: what plans say. Parameters: none. Returns: a row a plan, by name: limit_tokens (null: unlimited, or nothing is said),
--   policy (null: the default ladder), organizations (how many have the plan). Reads only.
create function public.list_plans()
returns table (plan_type text, limit_tokens text, policy jsonb, organizations integer)
language sql stable security invoker set search_path = ''
as $$
  select p.plan_type, nullif(tollgate.stored_limit(p.librechat_config), 'unlimited'), p.policy,
    (select count(*)::integer from tollgate.directory_organizations o where o.plan_type = p.plan_type)
  from tollgate.plans p
  order by p.plan_type
$$;

revoke execute on function public.set_plan, public.list_plans from public, anon, authenticated;
grant execute on function public.set_plan, public.list_plans to service_role;

-- schemas/40-functions/set_price.sql
-- Purpose: set an operator's price of a model, which wins over the seeded one. Parameters: price = { provider, model,
--   valid_from? (null: always), valid_to?, min_input_tokens?, input, output, cache_read?, cache_creation?, reasoning? }: US
--   dollars per million LLM tokens as text.
-- Returns: one row: id (as text). Locks: the price. Invariant: the same provider, model, start and tier again replaces the
--   row under a new id: entries that were priced by the old one keep pointing to nothing else.
create function public.set_price(price jsonb) returns table (id text)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
begin
  select p.provider, p.model, coalesce(p.valid_from, '-infinity') as valid_from, coalesce(p.valid_to, 'infinity') as valid_to,
    coalesce(p.min_input_tokens, 0) as min_input_tokens, p.input, p.output, p.cache_read, p.cache_creation, p.reasoning
  into asked
  from jsonb_to_record(tollgate.unwrap(price)) as p (provider text, model text, valid_from timestamptz,
    valid_to timestamptz, min_input_tokens bigint, input numeric, output numeric, cache_read numeric,
    cache_creation numeric, reasoning numeric);
  delete from tollgate.model_prices m
  where m.provider = asked.provider and m.model = asked.model and m.origin = 'operator'
    and m.valid_from = asked.valid_from and m.min_input_tokens = asked.min_input_tokens;
  insert into tollgate.model_prices (provider, model, origin, valid_from, valid_to, min_input_tokens, input_usd_per_mtok,
    output_usd_per_mtok, cache_read_usd_per_mtok, cache_creation_usd_per_mtok, reasoning_usd_per_mtok)
  values (asked.provider, asked.model, 'operator', asked.valid_from, asked.valid_to, asked.min_input_tokens, asked.input,
    asked.output, asked.cache_read, asked.cache_creation, asked.reasoning)
  returning model_prices.id::text into id;
  perform tollgate.record_audit('cli', 'price.set', 'model:' || asked.model, tollgate.unwrap(price));
  return next;
end
$$;

-- Purpose: show prices. Parameters: search (part of a model's name; null: operator's prices alone). Returns: a row a price.
create function public.list_prices(search text default null)
returns table (provider text, model text, origin text, valid_from text, valid_to text, min_input_tokens text, input text,
  output text, cache_read text, cache_creation text, reasoning text)
language sql stable security invoker set search_path = ''
as $$
  select p.provider, p.model, p.origin, p.valid_from::text, p.valid_to::text, p.min_input_tokens::text,
    p.input_usd_per_mtok::text, p.output_usd_per_mtok::text, p.cache_read_usd_per_mtok::text,
    p.cache_creation_usd_per_mtok::text, p.reasoning_usd_per_mtok::text
  from tollgate.model_prices p
  where case when search is null then p.origin = 'operator' else strpos(p.model, search) > 0 end
  order by p.provider, p.model, p.origin desc, p.valid_from, p.min_input_tokens
  limit 1000
$$;

revoke execute on function public.set_price, public.list_prices from public, anon, authenticated;
grant execute on function public.set_price, public.list_prices to service_role;

-- schemas/40-functions/set_quota.sql
-- Purpose: set an organization's own monthly limit, its ladder, or both; or let those of its config and plan hold again.
-- Parameters: change = { organization_id, limit (null: unlimited; absent: as it is), policy (absent: as it is),
--   period = { time_zone, anchor_day } (absent: as it is; from the next period on), mode (enforce | observe | null: the
--   installation's; absent: as it is), actor,
--   only_lower (true: refuse to raise: an organization's own admin), policy_version (the version that the change was made
--   from, '0' for none; absent: whichever), follow_plan? (true: own limit and ladder are dropped) }.
-- Returns: no row for an unknown organization, else one: changed, refusal (null where changed; only_lower: it would do more
--   than lower the limit; policy_version: somebody changed it meanwhile), limit_tokens, version (both as they are now).
-- Locks: the policy row. Invariant: the change wakes the enforcer by itself, because inputs_key no longer agrees.
create function public.set_quota(change jsonb) returns table (changed boolean, refusal text, limit_tokens text, version text)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(change);
  organization uuid := (asked ->> 'organization_id')::uuid;
  wanted bigint := (asked ->> 'limit')::bigint;
  follows constant boolean := coalesce((asked ->> 'follow_plan')::boolean, false);
  held record;
begin
  perform pg_advisory_xact_lock(hashtextextended('tollgate.set_quota:' || organization, 0));
  select i.base_limit_tokens as limit_tokens, i.policy_version as version into held
  from tollgate.quota_inputs i where i.organization_id = organization;
  if not found then return; end if;
  if (asked ->> 'only_lower')::boolean and (not asked ? 'limit'
    or (wanted is null and held.limit_tokens is not null) or wanted > held.limit_tokens
    or asked ?| array['policy', 'period', 'mode']) then
    refusal := 'only_lower';
  elsif (asked ->> 'policy_version')::bigint <> held.version then
    refusal := 'policy_version';
  end if;
  if refusal is not null then
    changed := false; limit_tokens := held.limit_tokens::text; version := held.version::text;
    return next;
    return;
  end if;
  insert into tollgate.quota_policies as q (organization_id, max_tokens, sets_limit, policy, updated_by)
  values (organization, wanted, asked ? 'limit', asked -> 'policy', asked ->> 'actor')
  on conflict (organization_id) do update set
    max_tokens = case when excluded.sets_limit then excluded.max_tokens when not follows then q.max_tokens end,
    sets_limit = excluded.sets_limit or q.sets_limit and not follows,
    policy = coalesce(excluded.policy, case when not follows then q.policy end), version = q.version + 1,
    updated_by = excluded.updated_by, updated_at = now();
  select true, i.base_limit_tokens::text, i.policy_version::text into changed, limit_tokens, version
  from tollgate.quota_inputs i where i.organization_id = organization;
  if asked ? 'period' then
    insert into tollgate.organization_settings as s (organization_id, time_zone, period_anchor_day)
    values (organization, asked #>> '{period,time_zone}', (asked #>> '{period,anchor_day}')::integer)
    on conflict (organization_id) do update set
      time_zone = excluded.time_zone, period_anchor_day = excluded.period_anchor_day, updated_at = now();
  end if;
  if asked ? 'mode' then
    insert into tollgate.organization_settings as s (organization_id, enforcement_mode)
    values (organization, asked ->> 'mode')
    on conflict (organization_id) do update set enforcement_mode = excluded.enforcement_mode, updated_at = now();
  end if;
  perform tollgate.record_audit(asked ->> 'actor', 'quota.changed', 'organization:' || organization,
    jsonb_build_object('limit', limit_tokens::bigint, 'previous_limit', held.limit_tokens, 'policy', asked -> 'policy',
      'period', asked -> 'period', 'mode', asked -> 'mode') || case when follows then '{"follow_plan": true}' else '{}' end::jsonb);
  return next;
end
$$;

revoke execute on function public.set_quota from public, anon, authenticated;
grant execute on function public.set_quota to tollgate_token_api, service_role;

-- schemas/40-functions/set_user_default.sql
-- Purpose: set the limit that each user of an organization has who has no own one, and its ladder if one is given.
-- Parameters: change = { organization_id, limit (null: none), policy (absent: as it is; null: the default ladder), version
--   (the one that the change was made from, '0' for none; absent: whichever), actor }.
-- Returns: no row for an unknown organization, else one: refusal (version: somebody changed it meanwhile; null: it is as was
--   asked), and as load_user_default what holds now.
-- Locks: the default of this organization against other changes, then its row. Invariant: what is set as it was changes
--   nothing. A change wakes the enforcer by itself: the shared key of those who have a row no longer agrees. The others
--   are enrolled where nobody has been, and none is where all have a row by now.
create function public.set_user_default(change jsonb)
returns table (
  refusal text, limit_tokens text, policy jsonb, version text, updated_by text, updated_at timestamptz)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(change);
  organization uuid := (asked ->> 'organization_id')::uuid;
  wanted bigint := (asked ->> 'limit')::bigint;
  ladder jsonb := nullif(asked -> 'policy', 'null');
  held tollgate.user_quota_defaults;
begin
  if not exists (select from tollgate.directory_organizations o where o.organization_id = organization) then return; end if;
  perform pg_advisory_xact_lock(hashtextextended('tollgate.set_user_default:' || organization, 0));
  select * into held from tollgate.user_quota_defaults f where f.organization_id = organization;
  if not asked ? 'policy' then ladder := held.policy; end if;
  if (asked ->> 'version')::bigint <> coalesce(held.version, 0) then
    refusal := 'version';
  elsif held.max_tokens is distinct from wanted or held.policy is distinct from ladder then
    insert into tollgate.user_quota_defaults as q (organization_id, max_tokens, policy, updated_by)
    values (organization, wanted, ladder, asked ->> 'actor')
    on conflict (organization_id) do update set
      max_tokens = excluded.max_tokens, policy = excluded.policy, version = q.version + 1,
      -- Who used something while a default was limiting has a row; who merely is a member has one where it was 0.
      is_enrolled = q.is_limiting and q.is_enrolled and (excluded.max_tokens is distinct from 0 or q.max_tokens = 0) is true,
      enrolled_upto = case
        when q.is_limiting and (excluded.max_tokens is distinct from 0 or q.max_tokens = 0) is true then q.enrolled_upto end,
      waits_for = case when q.is_limiting then q.waits_for end,
      updated_by = excluded.updated_by, updated_at = now();
    perform tollgate.record_audit(asked ->> 'actor', 'user_default.changed', 'organization:' || organization,
      jsonb_build_object('limit', asked -> 'limit', 'policy', asked -> 'policy'));
  end if;
  return query select refusal, d.* from public.load_user_default(organization) d;
end
$$;

-- Purpose: the limit of an organization's users without an own one. Parameters: for_organization. Returns: no row for an unknown
--   organization, else one: limit_tokens (null: none), policy (null: the default ladder), version ('0': never set), updated_by,
--   updated_at. Reads only.
create function public.load_user_default(for_organization uuid)
returns table (limit_tokens text, policy jsonb, version text, updated_by text, updated_at timestamptz)
language sql stable security invoker set search_path = ''
as $$
  select f.max_tokens::text, f.policy, coalesce(f.version, 0)::text, f.updated_by, f.updated_at
  from tollgate.directory_organizations o
  left join tollgate.user_quota_defaults f on f.organization_id = o.organization_id
  where o.organization_id = for_organization
$$;

revoke execute on function public.set_user_default, public.load_user_default from public, anon, authenticated;
grant execute on function public.set_user_default, public.load_user_default to tollgate_token_api, service_role;

-- schemas/40-functions/set_user_quota.sql
-- Purpose: set the limit of one user of an organization, and its ladder if one is given; or let the organization's default for
--   its users hold again.
-- Parameters: change = { organization_id, user_id, limit (null: none of its own), policy (absent: as it is; null:
--   that of the default holds), actor, follow_default? (true: limit and policy are dropped) }.
-- Returns: no row where the user does not belong to the organization, else one: limit_tokens, version.
-- Locks: the limit's row. Invariant: the change makes the row due, so that the enforcer finds it by itself. One that is new
--   stays due until those have ended who were recording usage and had not seen it (apply_user_enforcement).
create function public.set_user_quota(change jsonb) returns table (limit_tokens text, version text)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(change);
  organization uuid := (asked ->> 'organization_id')::uuid;
  member uuid := (asked ->> 'user_id')::uuid;
  follows constant boolean := coalesce((asked ->> 'follow_default')::boolean, false);
begin
  if tollgate.membership_fault(organization, member, true) is not null then return; end if;
  insert into tollgate.user_quotas as q (organization_id, user_id, is_own, is_settled, max_tokens, policy, updated_by)
  values (organization, member, not follows, false, (asked ->> 'limit')::bigint, nullif(asked -> 'policy', 'null'), asked ->> 'actor')
  on conflict (organization_id, user_id) do update set
    is_own = excluded.is_own, max_tokens = excluded.max_tokens,
    policy = case when asked ? 'policy' then excluded.policy when not follows then q.policy end, version = q.version + 1,
    updated_by = excluded.updated_by, updated_at = now()
  returning q.max_tokens::text, q.version::text into limit_tokens, version;
  perform tollgate.record_audit(asked ->> 'actor', 'user_quota.changed', 'user:' || member,
    jsonb_build_object('limit', asked -> 'limit', 'policy', asked -> 'policy', 'follow_default', follows), organization);
  return next;
end
$$;

-- Purpose: limit, usage, holds and state of one user of an organization. Parameters: for_organization, for_user.
-- Returns: no row where the user does not belong to it, else one; limit_tokens null = none beside the organization's; limit_from
--   = user | default (of the organization, for its users) | null: nobody set one. Reads only.
create function public.load_user_quota(for_organization uuid, for_user uuid)
returns table (
  user_id uuid, time_zone text, period_start timestamptz, period_end timestamptz, limit_tokens text, limit_from text,
  policy jsonb, used_tokens text, reserved_tokens text, cost_usd text, state text, version text, reason text, decision_id uuid,
  as_of timestamptz)
language sql stable security invoker set search_path = ''
as $$
  select for_user, i.time_zone, i.period_start, i.period_end, case when q.is_own then q.max_tokens else f.max_tokens end::text,
    case when q.is_own then 'user' when f.is_limiting then 'default' end, coalesce(q.policy, f.policy), m.used_tokens::text,
    coalesce((
      select sum(h.total_tokens) from tollgate.reservations h
      where h.organization_id = i.organization_id and h.user_id = for_user and h.state in ('held', 'committing')
        and not tollgate.is_due_hold(h.state, h.expires_at)), 0)::text,
    m.cost_usd::text, tollgate.state_at(s.state, s.lapses, s.period_end), coalesce(s.version, 0)::text,
    case when not e.is_over then s.reason end, case when not e.is_over then s.decision_id end, now()
  from tollgate.quota_inputs i
  left join tollgate.user_quotas q on q.organization_id = i.organization_id and q.user_id = for_user
  left join tollgate.user_quota_defaults f on f.organization_id = i.organization_id
  left join tollgate.user_enforcement_states s on s.organization_id = i.organization_id and s.user_id = for_user
  cross join lateral (select tollgate.is_lapsed(s.lapses, s.period_end) as is_over) e
  cross join lateral (
    select coalesce(sum(r.tokens_used), 0)::bigint as used_tokens, coalesce(sum(r.cost_usd), 0) as cost_usd
    from public.usage_metrics r
    where r.organization_id = i.organization_id and r.user_id = for_user
      and r.date >= (i.period_start at time zone i.time_zone)::date and r.date < (i.period_end at time zone i.time_zone)::date) m
  where i.organization_id = for_organization and tollgate.membership_fault(for_organization, for_user, true) is null
$$;

revoke execute on function public.set_user_quota, public.load_user_quota from public, anon, authenticated;
grant execute on function public.set_user_quota, public.load_user_quota to tollgate_token_api, service_role;

-- schemas/40-functions/settle_grants.sql
-- Purpose: how a period's usage spreads over an organization's limit and its open grants: soonest expiry first, the limit
--   as what expires with the period (before a grant that expires with it), then by priority, then the oldest.
-- Parameters: for_organization, in_period, period_end, base_limit (null: unlimited), used. Returns: a row a grant that is open
--   in the period: grant_id, size (what it had left at the period's start), spent. Reads only.
create function tollgate.spread_usage(
  for_organization uuid, in_period timestamptz, period_end timestamptz, base_limit bigint, used bigint)
returns table (grant_id uuid, size bigint, spent bigint)
language sql stable security invoker set search_path = ''
as $$
  with bucket as (
    select g.id, g.amount_tokens - s.earlier as size, coalesce(g.expires_at, 'infinity') as expires, 1 as kind, g.priority,
      g.created_at
    from tollgate.grants g
    cross join lateral (
      select coalesce(sum(p.spent_tokens), 0) as earlier
      from tollgate.grant_spending p where p.grant_id = g.id and p.period_start < in_period) s
    where g.organization_id = for_organization and g.closed_at is null and g.settled_until < spread_usage.period_end
    union all
    select null, coalesce(base_limit, 9223372036854775807), period_end, 0, 0, '-infinity'
  ), filled as (
    select b.id, b.size, sum(b.size) over (order by b.expires, b.kind, b.priority, b.created_at, b.id) as upto
    from bucket b
  ), spoken_for as (
    -- What grants gave that have ended within this period.
    select coalesce(sum(p.spent_tokens), 0) as tokens
    from tollgate.grants g join tollgate.grant_spending p on p.grant_id = g.id and p.period_start = in_period
    where g.organization_id = for_organization and g.closed_at is not null
  )
  select f.id, f.size::bigint, greatest(0, least(f.size, used - o.tokens - (f.upto - f.size)))::bigint
  from filled f cross join spoken_for o
  where f.id is not null
$$;

-- Purpose: what an organization had used of a period by an instant, as far as the ledger knows: the period's total without the
--   entries of later events. Parameters: for_organization, in_period (its start), instant (null: all of it). Returns: LLM tokens.
-- Reads only. Invariant: total and entries are of one snapshot. What posts to a later period than its own was used before it.
create function tollgate.used_before(for_organization uuid, in_period timestamptz, instant timestamptz) returns bigint
language sql stable security invoker set search_path = ''
as $$
  select coalesce((select t.used_tokens from tollgate.period_totals t
      where t.organization_id = for_organization and t.period_start = in_period), 0)
    - case when instant is null then 0 else coalesce((
      select sum(e.total_tokens) from tollgate.usage_events e
      where e.organization_id = for_organization and e.period_start = in_period and e.time >= instant
        -- For the index: no zone is further than a day from UTC.
        and e.usage_date >= (instant at time zone 'UTC')::date - 1), 0)::bigint end
$$;

-- Purpose: fix what grants gave: to periods that are over, and to the present one where a grant has expired.
-- Parameters: for_organization, at (default: the database's present). Returns: one row: settled (how many rows were fixed).
-- Locks: the organization's open grants, by id. Invariant: a grant gives each period once, and never more than it holds; what
--   is settled stays. Repeating changes nothing. A grant that has expired gave what was used until then, in the spending order,
--   however late it is settled: expiries are settled one after the other, each with the usage of events before it.
create function public.settle_grants(for_organization uuid, at timestamptz default now()) returns table (settled integer)
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  open_period timestamptz;
  in_period record;
  base bigint;
  ending timestamptz; -- when the next grants expire within the period; null: none do, and the period is over
  fixed integer;
begin
  settled := 0;
  perform from tollgate.grants g
  where g.organization_id = for_organization and g.closed_at is null order by g.id for update;
  loop
    select min(g.settled_until) into open_period from tollgate.grants g
    where g.organization_id = for_organization and g.closed_at is null
      and (g.expires_at <= at or g.settled_until < (select p.period_start from tollgate.organization_period(for_organization, at) p));
    exit when open_period is null;
    select * into in_period from tollgate.organization_period(for_organization, open_period);
    -- What held in that period as far as anybody decided in it; null may be what held.
    select case when s.organization_id is not null then s.base_limit_tokens else i.base_limit_tokens end into base
    from tollgate.quota_inputs_at(at) i
    left join tollgate.enforcement_states s
      on s.organization_id = i.organization_id and s.period_start = in_period.period_start
    where i.organization_id = for_organization;
    select min(g.expires_at) into ending from tollgate.grants g
    where g.organization_id = for_organization and g.closed_at is null and g.settled_until < in_period.period_end
      and g.expires_at <= at and g.expires_at < in_period.period_end;

    with due as (
      select g.id, s.size, s.spent,
        case when ending is null then in_period.period_end else in_period.period_start end as next_period,
        g.expires_at <= coalesce(ending, in_period.period_end) as is_expired
      from tollgate.spread_usage(for_organization, in_period.period_start, in_period.period_end, base,
        tollgate.used_before(for_organization, in_period.period_start, ending)) s
      join tollgate.grants g on g.id = s.grant_id
      where case when ending is null then in_period.period_end <= at else g.expires_at <= ending end
    ), spending as (
      insert into tollgate.grant_spending (grant_id, period_start, spent_tokens)
      select d.id, in_period.period_start, d.spent from due d order by d.id
      returning grant_id
    )
    update tollgate.grants g set
      settled_until = d.next_period,
      closed_at = case when d.is_expired or (ending is null and d.spent = d.size) then least(at, coalesce(g.expires_at, at)) end
    from due d where d.id = g.id;
    get diagnostics fixed = row_count;
    settled := settled + fixed;
    exit when fixed = 0;
  end loop;
  return next;
end
$$;

revoke execute on function public.settle_grants from public, anon, authenticated;
grant execute on function tollgate.spread_usage, tollgate.used_before, public.settle_grants to tollgate_token_api, tollgate_quota_enforcer, service_role;

-- schemas/40-functions/settle_reservations.sql
-- Purpose: end the holds that usage events name, in the transaction that counts the usage, just before the period totals.
-- Parameters: judged (all events of the batch, of which some name a hold), fresh (those that count now).
-- Returns: jsonb { settled, late, excess_tokens }: how many holds ended, how many events came after their hold had been
--   given back (or named none that is known), and by how much the usage exceeded what was held.
-- Locks: reserved_totals of the organizations, sorted, until the end of the transaction: reserve_tokens cannot see the
--   hold gone before the usage is there.
-- Invariant: a hold leaves the total of the open ones once; usage counts in any case. An event that counted before ends its
--   hold all the same; of one that is rejected the hold is given back.
create function tollgate.settle_reservations(judged tollgate.judged_event[], fresh tollgate.judged_event[]) returns jsonb
language plpgsql volatile security invoker set search_path = ''
as $$
declare
  named jsonb;
  result jsonb;
begin
  perform tollgate.lock_holds(array(
    select distinct j.organization_id from unnest(judged) j where j.reservation_id is not null));

  named := (
    select jsonb_agg(n) from (
      select j.reservation_id as id, j.organization_id, bool_or(j.rejection is null) as is_usage,
        (array_agg(encode(j.digest, 'hex') order by j.ordinal) filter (where j.rejection is null))[1] as digest,
        count(f.ordinal) as events, coalesce(sum(f.total_tokens), 0) as tokens
      from unnest(judged) j left join unnest(fresh) f on f.ordinal = j.ordinal
      where j.reservation_id is not null and j.type = 'usage.recorded'
      group by j.reservation_id, j.organization_id) n);

  with hold as materialized ( -- as they are before: the rows change below
    select n.*, r.state, r.total_tokens, r.settled_tokens
    from jsonb_to_recordset(named) as n (
      id uuid, organization_id uuid, is_usage boolean, digest text, events bigint, tokens bigint)
    left join tollgate.reservations r on r.id = n.id and r.organization_id = n.organization_id
  ), ended as (
    update tollgate.reservations r set
      state = case when h.is_usage then 'settled' else 'released' end, ended_at = now(),
      settled_tokens = r.settled_tokens + h.tokens, event_digest = coalesce(r.event_digest, decode(h.digest, 'hex')),
      is_late = r.is_late or r.state in ('released', 'expired')
    from hold h
    where r.id = h.id and r.organization_id = h.organization_id and (h.is_usage or r.state in ('held', 'committing'))
  ), given_back as (
    update tollgate.reserved_totals t set reserved_tokens = t.reserved_tokens - o.tokens, updated_at = now()
    from (select h.organization_id, sum(h.total_tokens) as tokens from hold h
      where h.state in ('held', 'committing') group by h.organization_id) o
    where t.organization_id = o.organization_id
  )
  select jsonb_build_object(
    'settled', count(*) filter (where h.state in ('held', 'committing') and h.is_usage),
    'late', coalesce(sum(h.events) filter (where coalesce(h.state, 'expired') in ('released', 'expired')), 0),
    'excess_tokens', coalesce(sum(greatest(0, h.settled_tokens + h.tokens - h.total_tokens)
      - greatest(0, h.settled_tokens - h.total_tokens)), 0))
  into result from hold h;
  return result;
end
$$;

grant execute on function tollgate.settle_reservations to tollgate_usage_worker, service_role;

-- schemas/40-functions/standing_entries.sql
-- Purpose: what the ledger says of one event: its first entry, and the sum of all. Parameters: of_organization, of_digest,
--   counted_at: when its identity was claimed.
-- Returns: no row when it never counted, else one: original (the usage entry); revision (the highest that was applied) and
--   the sums that hold. Reads only.
-- Invariant: what holds of an event is the sum of its entries, re-rates included.
create function tollgate.standing_entries(of_organization uuid, of_digest bytea, counted_at timestamptz)
returns table (
  original tollgate.usage_events, revision integer, input_tokens bigint, output_tokens bigint,
  cache_read_input_tokens bigint, cache_creation_input_tokens bigint, reasoning_output_tokens bigint,
  total_tokens bigint, message_count bigint, event_count bigint, unpriced_events bigint, cost_usd numeric,
  charge_usd numeric)
language sql stable security invoker set search_path = ''
as $$
  with first as materialized (
    -- By the time of recording alone: an index of the organization would lead through its whole history.
    select l as entry from tollgate.usage_events l
    where l.recorded_at = counted_at and l.digest = of_digest and l.entry = 'usage'
      and l.organization_id is not distinct from of_organization
  ), all_of_it as (
    select (f.entry).* from first f
    union all
    select l.* from tollgate.usage_events l
    where l.organization_id = of_organization and l.digest = of_digest and l.entry <> 'usage'
  )
  select (select f.entry from first f), max(a.revision), sum(a.input_tokens), sum(a.output_tokens),
    sum(a.cache_read_input_tokens), sum(a.cache_creation_input_tokens), sum(a.reasoning_output_tokens),
    sum(a.total_tokens), sum(a.message_count), sum(a.event_count), sum(a.unpriced_events), sum(a.cost_usd),
    sum(a.charge_usd)
  from all_of_it a
  having count(*) > 0
$$;

grant execute on function tollgate.standing_entries to tollgate_usage_worker, service_role;

-- schemas/40-functions/start_logins.sql
-- Purpose: start login sessions, each with all that its tokens say of the user.
-- Parameters: batch = { "logins": [{ session_id, user_id, kind, supabase_session_id?, user_agent?, issued_at,
--   access_expires_at, ends_at?, refresh_hash? (64 hex digits), refresh_expires_at?, observe? (refuse nobody for an
--   enforcement state), actor? (a key that the token is issued to: goes into the audit trail) }] }; ids differ.
-- Returns: a row a login whose user is known and has an organization: session_id, login (a row of find_login), signed_out
--   (the Supabase session is gone: nothing was started). For a revoked organization nothing is started either. Started
--   again with the same id, a session is only prolonged; one that has ended meanwhile counts as signed out.
-- Locks: the rows, in the order of their ids. Invariant: row and login.started event are one transaction, and the answer
--   comes after it.
create function public.start_logins(batch jsonb) returns table (session_id uuid, login jsonb, signed_out boolean)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked uuid[] := array(select (l ->> 'session_id')::uuid from jsonb_array_elements(tollgate.unwrap(batch) -> 'logins') l);
  -- By an array, not a subquery: each is one look into the index, whatever the planner takes the table's size to be.
  known uuid[] := array(select s.id from tollgate.login_sessions s where s.id = any(asked));
  started tollgate.login_sessions[];
begin
  return query
  with found as materialized (
    select l.*, to_jsonb(f) as login, f.organization_id as organization, f.state,
      tollgate.supabase_session_is_gone(l.supabase_session_id, l.user_id) as gone
    from jsonb_to_recordset(tollgate.unwrap(batch) -> 'logins') as l (
      session_id uuid, user_id uuid, kind text, supabase_session_id uuid, user_agent text, issued_at timestamptz,
      access_expires_at timestamptz, ends_at timestamptz, refresh_hash text, refresh_expires_at timestamptz,
      observe boolean)
    cross join lateral public.find_login(l.user_id) f
  ), written as (
    insert into tollgate.login_sessions as held (id, organization_id, user_id, started_at, expires_at, kind, supabase_session_id,
      role, user_agent, last_used_at, access_expires_at, ends_at, refresh_hash, refresh_issued_at, refresh_expires_at)
    select f.session_id, f.organization, f.user_id, f.issued_at, greatest(f.access_expires_at, f.refresh_expires_at),
      f.kind, f.supabase_session_id, f.login ->> 'role', f.user_agent, f.issued_at, f.access_expires_at, f.ends_at,
      decode(f.refresh_hash, 'hex'), case when f.refresh_hash is not null then f.issued_at end, f.refresh_expires_at
    from found f where not f.gone and (f.state <> 'revoked' or f.observe)
    order by f.session_id
    on conflict (id) do update set access_expires_at = greatest(held.access_expires_at, excluded.access_expires_at),
      expires_at = greatest(held.expires_at, excluded.expires_at),
      role = case when tollgate.role_rank(excluded.role) > tollgate.role_rank(held.role) then excluded.role else held.role end
      where held.ended_at is null and held.user_id = excluded.user_id and held.organization_id = excluded.organization_id
    returning held.id
  )
  select f.session_id, f.login, f.gone or (f.session_id = any(known) and (f.state <> 'revoked' or coalesce(f.observe, false))
    and not exists (select from written w where w.id = f.session_id))
  from found f;

  started := array(select s from tollgate.login_sessions s where s.id = any(asked) and s.id <> all(known));
  perform tollgate.announce_logins(started, 'login.started');
  perform tollgate.record_audit(l.actor, 'access_token.issued', 'user:' || s.user_id,
    jsonb_build_object('session_id', s.id, 'expires_at', s.access_expires_at), s.organization_id)
  from unnest(started) s
  join jsonb_to_recordset(tollgate.unwrap(batch) -> 'logins') as l (session_id uuid, actor text) on l.session_id = s.id
  where l.actor is not null;
end
$$;

revoke execute on function public.start_logins from public, anon, authenticated;
grant execute on function public.start_logins to tollgate_token_api, service_role;

-- schemas/40-functions/still_recording.sql
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

-- schemas/40-functions/supabase_session_is_gone.sql
-- Purpose: whether a Supabase session was signed out (or has ended, or its user was deleted). Parameters: session (null:
--   the token named none), of_user. Returns: true when it is certainly gone; false where it lives or cannot be told.
-- Security definer: services have no right on the auth schema. It says yes or no of one session and nothing else.
create function tollgate.supabase_session_is_gone(session uuid, of_user uuid) returns boolean
language plpgsql stable security definer set search_path = ''
as $$
begin
  if session is null or to_regclass('auth.sessions') is null or not has_table_privilege('auth.sessions', 'select') then
    return false;
  end if;
  return not exists (
    select from auth.sessions s
    where s.id = session and s.user_id = of_user and (s.not_after is null or s.not_after > now()));
end
$$;

revoke execute on function tollgate.supabase_session_is_gone from public;
grant execute on function tollgate.supabase_session_is_gone to tollgate_token_api, service_role;

-- schemas/40-functions/sweep_logins.sql
-- Purpose: end login sessions that ran out or whose user was deleted, has moved to another organization or was given a
--   lower role than a token names (none, and an unknown one, count as lower than any), and forget revocations that can meet
--   no token any more. Parameters: max_rows (of each kind), after (the user to begin behind; null: at the beginning), slice_rows (open sessions to compare with the profiles).
-- Returns: one row: next_after (of the next call; null: begin again), expired, strayed (sessions ended), forgotten,
--   revoked as of revoke_logins, deaf_ms likewise.
-- Locks: an advisory lock (one sweep at a time; another returns zeros), then as end_logins.
-- Invariant: what one call costs does not grow with the number of open sessions.
create function public.sweep_logins(max_rows integer, after uuid default null, slice_rows integer default 5000)
returns table (next_after uuid, expired integer, strayed integer, forgotten integer, revoked jsonb, deaf_ms integer)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  users uuid[];
  over tollgate.login_sessions[];
  stray record;
begin
  next_after := after; expired := 0; strayed := 0; forgotten := 0; revoked := '[]'; deaf_ms := 0;
  if not pg_try_advisory_xact_lock(hashtext('tollgate.sweep_logins')) then
    return next;
    return;
  end if;
  perform pg_advisory_xact_lock_shared(hashtext('tollgate.gate'));
  with due as (
    select s.id from tollgate.login_sessions s
    where s.ended_at is null and s.expires_at <= now() order by s.id limit max_rows for update
  ), updated as (
    update tollgate.login_sessions s set ended_at = s.expires_at, end_reason = 'expired'
    from due d where s.id = d.id returning s as session
  )
  select array_agg(u.session), count(*) into over, expired from updated u;
  perform tollgate.announce_logins(over, 'login.ended');

  with slice as (
    select s.user_id from tollgate.login_sessions s
    where s.ended_at is null and (after is null or s.user_id > after) order by s.user_id limit slice_rows
  )
  select case when count(*) = slice_rows then (array_agg(l.user_id order by l.user_id desc))[1] end, array_agg(distinct l.user_id)
  into next_after, users
  from slice l;
  for stray in
    select case when m.user_id is null then 'user_deleted'
        when m.organization_id is distinct from s.organization_id then 'organization_changed'
        else 'role_reduced' end as reason,
      array_agg(s.id order by s.id) as ids
    from (select t.* from tollgate.login_sessions t
      where t.ended_at is null and t.expires_at > now() and t.user_id = any(users)) s
    left join tollgate.directory_members m on m.user_id = s.user_id
    where m.user_id is null or m.organization_id is distinct from s.organization_id
      or tollgate.role_rank(m.role) < tollgate.role_rank(s.role)
    group by 1 order by 1
  loop
    strayed := strayed + least(cardinality(stray.ids), max_rows);
    revoked := revoked || tollgate.end_logins(stray.ids[1:max_rows], stray.reason);
  end loop;

  with gone as (
    delete from tollgate.token_revocations r where r.expires_at < now() returning 1
  )
  select count(*) into forgotten from gone;
  select coalesce(ceil(max(extract(epoch from g.leased_until - clock_timestamp())) * 1000), 0)::integer into deaf_ms
  from tollgate.deaf_gates g where g.leased_until > clock_timestamp();
  return next;
end
$$;

revoke execute on function public.sweep_logins from public, anon, authenticated;
grant execute on function public.sweep_logins to tollgate_token_api, service_role;

-- schemas/40-functions/take_session_events.sql
-- Purpose: take events out of the outbox for a relay, oldest first. Parameters: max_rows, lease_ms (another relay takes
--   them again after that). Returns: a row an event: id, event (AcceptedEvent), created_at.
-- Locks: the rows (skip locked, so that relays share the work). Invariant: nothing leaves the outbox here.
create function public.take_session_events(max_rows integer, lease_ms integer)
returns table (id text, event jsonb, created_at timestamptz)
language sql volatile security invoker set search_path = ''
as $$
  update tollgate.session_event_outbox o set taken_until = clock_timestamp() + make_interval(secs => lease_ms / 1000.0)
  from (
    select t.id from tollgate.session_event_outbox t where t.taken_until < clock_timestamp()
    order by t.id limit max_rows for update skip locked
  ) taken
  where o.id = taken.id
  returning o.id::text, o.event, o.created_at
$$;

revoke execute on function public.take_session_events from public, anon, authenticated;
grant execute on function public.take_session_events to tollgate_token_api, service_role;

-- schemas/40-functions/tollgate_ping.sql
-- Purpose: readiness. Parameters: none. Returns: one row: ok, now (the database's clock). Reads nothing.
create function public.tollgate_ping() returns table (ok boolean, now timestamptz)
language sql stable security invoker set search_path = ''
as $$ select true, now() $$;

revoke execute on function public.tollgate_ping from public, anon, authenticated;
grant execute on function public.tollgate_ping
  to tollgate_token_api, tollgate_usage_worker, tollgate_quota_enforcer, service_role;

-- schemas/40-functions/touch_service_keys.sql
-- Purpose: note when keys were used last, for many at once. Parameters: used = { keys: [{ id, used_at }, …] }.
-- Returns: one row: touched. Invariant: last_used_at only rises. Locks: the rows, in the order of their ids.
create function public.touch_service_keys(used jsonb) returns table (touched integer)
language sql volatile security invoker set search_path = ''
as $$
  with uses as materialized (
    select u.id, max(u.used_at) as used_at
    from jsonb_to_recordset(tollgate.unwrap(used) -> 'keys') as u (id uuid, used_at timestamptz)
    group by u.id
  ), locked as materialized (
    select k.id from tollgate.service_keys k join uses u on u.id = k.id order by k.id for update of k
  ), written as (
    update tollgate.service_keys k set last_used_at = greatest(k.last_used_at, u.used_at)
    from locked l join uses u on u.id = l.id
    where k.id = l.id
    returning 1
  )
  select count(*)::integer from written
$$;

revoke execute on function public.touch_service_keys from public, anon, authenticated;
grant execute on function public.touch_service_keys to tollgate_token_api, service_role;

-- schemas/40-functions/unwrap.sql
-- Purpose: read a jsonb argument that an HTTP layer has encoded twice: @supabase/lite hands over a JSON string that holds
--   the object. Parameters: argument. Returns: the object. Invariant: an argument that is no string is returned as it is.
create function tollgate.unwrap(argument jsonb) returns jsonb
language sql immutable parallel safe
return case jsonb_typeof(argument) when 'string' then (argument #>> '{}')::jsonb else argument end;

grant execute on function tollgate.unwrap
  to authenticated, tollgate_token_api, tollgate_usage_worker, tollgate_quota_enforcer, service_role;

-- schemas/40-functions/void_grant.sql
-- Purpose: take back what a grant has left. What it gave stays given, in this period too.
-- Parameters: grant_void = { organization_id, grant_id, reason, actor, at? (default: the database's present) }.
-- Returns: no row for a grant that the organization does not have, else one: outcome (voided; repeated: it was voided before;
--   over: it was spent or had expired, and stays as it is), and the grant with what it gave.
-- Locks: as settle_grants. Invariant: a grant is voided once, and gives the period no more and no less than it had given by
--   then in the spending order. The change wakes the enforcer by itself, because inputs_key no longer agrees.
create function public.void_grant(grant_void jsonb)
returns table (
  outcome text, id uuid, amount_tokens text, spent_tokens text, priority integer, expires_at timestamptz, reason text,
  actor text, created_at timestamptz, closed_at timestamptz, voided_at timestamptz, voided_by text, void_reason text)
language plpgsql volatile security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked record;
  given tollgate.grants;
  spent bigint;
begin
  select v.*, coalesce(v.at, now()) as present into asked from jsonb_to_record(tollgate.unwrap(grant_void)) as v (
    organization_id uuid, grant_id uuid, reason text, actor text, at timestamptz);
  -- What is over by itself is settled first: it is no longer there to be voided.
  perform public.settle_grants(asked.organization_id, asked.present);
  select g.* into given from tollgate.grants g
  where g.id = asked.grant_id and g.organization_id = asked.organization_id for update;
  if not found then return; end if;
  outcome := case when given.voided_at is not null then 'repeated' when given.closed_at is not null then 'over' else 'voided' end;
  if outcome = 'voided' then
    insert into tollgate.grant_spending (grant_id, period_start, spent_tokens)
    select u.grant_id, i.period_start, u.spent
    from tollgate.quota_inputs_at(asked.present) i
    left join tollgate.period_totals t on t.organization_id = i.organization_id and t.period_start = i.period_start
    cross join lateral tollgate.spread_usage(i.organization_id, i.period_start, i.period_end, i.base_limit_tokens,
      coalesce(t.used_tokens, 0)) u
    where i.organization_id = asked.organization_id and u.grant_id = given.id;
    update tollgate.grants g set closed_at = asked.present, voided_at = asked.present, voided_by = asked.actor,
      void_reason = asked.reason
    where g.id = given.id returning g.* into given;
  end if;
  select coalesce(sum(s.spent_tokens), 0) into spent from tollgate.grant_spending s where s.grant_id = given.id;
  if outcome = 'voided' then
    perform tollgate.record_audit(asked.actor, 'grant.voided', 'organization:' || asked.organization_id, jsonb_build_object(
      'grant_id', given.id, 'amount', given.amount_tokens, 'spent', spent, 'reason', asked.reason));
    perform tollgate.notify(given.organization_id, 'quota.grant_voided', 'quota.grant_voided:' || given.id, jsonb_build_object(
      'grant_id', given.id, 'amount_tokens', given.amount_tokens::text, 'spent_tokens', spent::text, 'reason', asked.reason,
      'actor', asked.actor), asked.present);
  end if;
  id := given.id; amount_tokens := given.amount_tokens::text; spent_tokens := spent::text; priority := given.priority;
  expires_at := given.expires_at; reason := given.reason; actor := given.actor; created_at := given.created_at;
  closed_at := given.closed_at; voided_at := given.voided_at; voided_by := given.voided_by; void_reason := given.void_reason;
  return next;
end
$$;

revoke execute on function public.void_grant from public, anon, authenticated;
grant execute on function public.void_grant to tollgate_token_api, service_role;

-- schemas/40-functions/write_closing_figures.sql
-- Purpose: add the sums of one partition's entries to the closing figures by day, session, period and model, and posting.
-- Parameters: partition (name of the table). Returns: one row: entries, total_tokens, cost_usd of the partition.
-- Locks: rows of sealed_days, sealed_sessions, sealed_periods, sealed_postings; the caller holds the lock of the books.
-- Invariant: called once for a partition, in the transaction that drops it. A day at a month's border may be sealed in parts.
create function tollgate.write_closing_figures(partition text)
returns table (entries bigint, total_tokens bigint, cost_usd numeric)
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  execute format($sql$
    insert into tollgate.sealed_days as t (
      organization_id, date, model, user_id, input_tokens, output_tokens, cache_read_input_tokens,
      cache_creation_input_tokens, reasoning_output_tokens, total_tokens, cost_usd, charge_usd, message_count,
      event_count, unpriced_events)
    select
      e.organization_id, e.usage_date, e.model, e.user_id, sum(e.input_tokens), sum(e.output_tokens),
      sum(e.cache_read_input_tokens), sum(e.cache_creation_input_tokens), sum(e.reasoning_output_tokens),
      sum(e.total_tokens), coalesce(sum(e.cost_usd), 0), coalesce(sum(e.charge_usd), 0), sum(e.message_count),
      sum(e.event_count), sum(e.unpriced_events)
    from tollgate.%I e
    group by e.organization_id, e.usage_date, e.model, e.user_id
    on conflict (organization_id, date, model, user_id) do update set
      input_tokens = t.input_tokens + excluded.input_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      cache_read_input_tokens = t.cache_read_input_tokens + excluded.cache_read_input_tokens,
      cache_creation_input_tokens = t.cache_creation_input_tokens + excluded.cache_creation_input_tokens,
      reasoning_output_tokens = t.reasoning_output_tokens + excluded.reasoning_output_tokens,
      total_tokens = t.total_tokens + excluded.total_tokens,
      cost_usd = t.cost_usd + excluded.cost_usd,
      charge_usd = t.charge_usd + excluded.charge_usd,
      message_count = t.message_count + excluded.message_count,
      event_count = t.event_count + excluded.event_count,
      unpriced_events = t.unpriced_events + excluded.unpriced_events,
      sealed_at = now()$sql$, partition);
  execute format($sql$
    insert into tollgate.sealed_sessions as t (
      organization_id, user_id, librechat_session_id, message_count, input_tokens, output_tokens, total_tokens, cost_usd,
      charge_usd, unpriced_events)
    select
      e.organization_id, e.user_id, e.session_id, sum(e.message_count), sum(e.input_tokens), sum(e.output_tokens),
      sum(e.total_tokens), coalesce(sum(e.cost_usd), 0), coalesce(sum(e.charge_usd), 0), sum(e.unpriced_events)
    from tollgate.%I e
    where e.entry <> 'opening_balance'
    group by e.organization_id, e.user_id, e.session_id
    on conflict (organization_id, user_id, librechat_session_id) do update set
      message_count = t.message_count + excluded.message_count,
      input_tokens = t.input_tokens + excluded.input_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      total_tokens = t.total_tokens + excluded.total_tokens,
      cost_usd = t.cost_usd + excluded.cost_usd,
      charge_usd = t.charge_usd + excluded.charge_usd,
      unpriced_events = t.unpriced_events + excluded.unpriced_events$sql$, partition);
  execute format($sql$
    insert into tollgate.sealed_periods as t (
      organization_id, period_start, model, total_tokens, input_tokens, output_tokens, cost_usd, charge_usd, event_count,
      unpriced_events)
    select e.organization_id, e.period_start, e.model, sum(e.total_tokens), sum(e.input_tokens), sum(e.output_tokens),
      coalesce(sum(e.cost_usd), 0), coalesce(sum(e.charge_usd), 0), sum(e.event_count), sum(e.unpriced_events)
    from tollgate.%I e
    group by e.organization_id, e.period_start, e.model
    on conflict (organization_id, period_start, model) do update set
      total_tokens = t.total_tokens + excluded.total_tokens,
      input_tokens = t.input_tokens + excluded.input_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      cost_usd = t.cost_usd + excluded.cost_usd,
      charge_usd = t.charge_usd + excluded.charge_usd,
      event_count = t.event_count + excluded.event_count,
      unpriced_events = t.unpriced_events + excluded.unpriced_events$sql$, partition);
  perform tollgate.seal_postings(partition);
  return query execute format('select count(*), coalesce(sum(e.total_tokens), 0)::bigint, coalesce(sum(e.cost_usd), 0)
    from tollgate.%I e', partition);
end
$$;

-- schemas/45-reports/00-usage_report_row.sql
-- A row of a usage report before it is dressed: sums of one bucket and group. Null where the report is not grouped by it.
create type tollgate.usage_report_row as (
  bucket text,
  model text,
  user_id uuid,
  input_tokens bigint,
  output_tokens bigint,
  cache_read_input_tokens bigint,
  cache_creation_input_tokens bigint,
  reasoning_output_tokens bigint,
  cost_usd numeric,
  charge_usd numeric,
  message_count bigint,
  event_count bigint,
  unpriced_events bigint
);

-- What a report asks for, read once from its jsonb argument.
create type tollgate.usage_report_query as (
  organization_id uuid,
  start_date date, -- the organization's day, inclusive
  end_date date,   -- exclusive
  bucket text,     -- hour | day | month | total
  by_model boolean,
  by_user boolean,
  by_token_kind boolean,
  user_id uuid,    -- null: everybody whom the caller may see
  model text       -- null: every model
);

-- schemas/45-reports/default_steps.sql
-- Purpose: the ladder that holds where nobody chose, for reports. Parameters: none. Returns: jsonb, as DEFAULT_QUOTA_POLICY
--   of packages/shared/src/contracts/quota-policy.ts says; a test compares the two.
create function tollgate.default_steps() returns jsonb
language sql immutable parallel safe
return '[{"at_percent": 50, "state": "warned"}, {"at_percent": 80, "state": "warned"}, {"at_percent": 90, "state": "warned"},
  {"at_percent": 100, "state": "downgraded"}, {"at_percent": 120, "state": "revoked"}]'::jsonb;

grant execute on function tollgate.default_steps to tollgate_token_api, service_role;

-- Purpose: the steps of a ladder as amounts, those in LLM tokens first, lowest first. Parameters: policy (null: the default),
--   limit_tokens (with grants; null: unlimited), granted_tokens (absolute steps lie that much higher). Returns: jsonb array of
--   { at_tokens, at_usd (text; one of them null), state, mode, grace_seconds }. Invariant: the steps that the enforcer looks at
--   (cutRungs): a limit that is null lifts every step of its measure.
create function tollgate.report_steps(policy jsonb, limit_tokens bigint, granted_tokens bigint) returns jsonb
language sql immutable parallel safe
return (
  select coalesce(jsonb_agg(jsonb_build_object('at_tokens', s.at_tokens::text, 'at_usd', s.at_usd::text, 'state', s.state,
      'mode', s.mode, 'grace_seconds', s.grace_seconds)
    order by s.at_tokens, s.at_usd, array_position(array['warned', 'downgraded', 'revoked'], s.state)), '[]')
  from (
    select step ->> 'state' as state, coalesce(step ->> 'mode', 'hard') as mode,
      coalesce((step ->> 'grace_seconds')::integer, 0) as grace_seconds,
      case when measure = 'tokens' and limit_tokens is not null
        then coalesce((step ->> 'at_tokens')::bigint + granted_tokens,
          ceil((step ->> 'at_percent')::numeric * limit_tokens / 100)::bigint) end as at_tokens,
      case when measure = 'usd' and jsonb_typeof(policy -> 'max_cost_usd') is distinct from 'null'
        then trim_scale(coalesce((step ->> 'at_usd')::numeric,
          ceil((step ->> 'at_percent')::numeric * (policy ->> 'max_cost_usd')::numeric * 1e10) / 1e12)) end as at_usd
    from jsonb_array_elements(coalesce(policy -> 'steps', tollgate.default_steps())) step
    cross join unnest(array['tokens', 'usd']) measure) s
  where s.at_tokens is not null or s.at_usd is not null);

-- schemas/45-reports/dress_usage.sql
-- Purpose: the rows of a usage report, without the users' names. Parameters: q (checked); is_whole as of sum_usage.
-- Returns: a row a bucket and group that has usage; counts as text; cost and charge null where nothing of the row is priced,
--   or where the row is one kind of LLM token, which has no cost of its own; sub-counts null where the report does not know
--   them. Runs with the caller's rights.
create function tollgate.dress_usage(q tollgate.usage_report_query, is_whole boolean)
returns table (
  bucket text, model text, user_id uuid, token_kind text, tokens_used text, input_tokens text, output_tokens text,
  cache_read_input_tokens text, cache_creation_input_tokens text, reasoning_output_tokens text, cost_usd text,
  charge_usd text, message_count text, event_count text, unpriced_events text)
language plpgsql stable security invoker set search_path = ''
as $$
#variable_conflict use_column
begin
  if (q).by_token_kind then
    return query
      select r.bucket, r.model, r.user_id, k.kind, k.tokens::text, null::text, null::text, null::text, null::text, null::text,
        null::text, null::text, r.message_count::text, r.event_count::text, r.unpriced_events::text
      from tollgate.sum_usage(q, is_whole) r
      cross join lateral (values
        ('input', r.input_tokens - r.cache_read_input_tokens - r.cache_creation_input_tokens),
        ('cache_read_input', r.cache_read_input_tokens), ('cache_creation_input', r.cache_creation_input_tokens),
        ('output', r.output_tokens - r.reasoning_output_tokens), ('reasoning_output', r.reasoning_output_tokens)
      ) k (kind, tokens)
      where k.tokens <> 0;
    return;
  end if;
  return query
    select r.bucket, r.model, r.user_id, null::text, (r.input_tokens + r.output_tokens)::text, r.input_tokens::text,
      r.output_tokens::text, r.cache_read_input_tokens::text, r.cache_creation_input_tokens::text,
      r.reasoning_output_tokens::text,
      case when r.unpriced_events < r.event_count or r.event_count = 0 then r.cost_usd::text end,
      case when r.unpriced_events < r.event_count or r.event_count = 0 then r.charge_usd::text end,
      r.message_count::text, r.event_count::text, r.unpriced_events::text
    from tollgate.sum_usage(q, is_whole) r
    where (r.input_tokens, r.output_tokens, r.event_count, r.message_count, r.cost_usd)
      is distinct from (0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::numeric);
end
$$;

grant execute on function tollgate.dress_usage to authenticated, service_role, tollgate_token_api;

-- schemas/45-reports/fold_statement.sql
-- Purpose: the entries of one period that rollups by day cannot place: those that posted to it or from it to a later one, and
--   those of its days that another period shares, from ledger and closing figures.
-- Parameters: for_organization, for_period (its start). Returns: sums by period, own period, day, model and user. Reads only,
--   by the indexes of postponed entries and, of the ledger's days, the shared ones inside the period.
create function tollgate.list_postings(for_organization uuid, for_period timestamptz)
returns setof tollgate.sealed_postings
language sql stable security invoker set search_path = ''
as $$
  select e.organization_id, e.period_start, coalesce(e.original_period_start, e.period_start), e.usage_date, e.model,
    e.user_id, sum(e.input_tokens)::bigint, sum(e.output_tokens)::bigint, coalesce(sum(e.cost_usd), 0),
    coalesce(sum(e.charge_usd), 0), sum(e.message_count), sum(e.event_count), sum(e.unpriced_events)
  from (
    select u.* from tollgate.usage_events u
    where u.organization_id = for_organization and u.original_period_start is not null and u.period_start = for_period
    union all
    select u.* from tollgate.usage_events u
    where u.organization_id = for_organization and u.original_period_start = for_period and u.period_start <> for_period
    union all
    select u.* from tollgate.usage_events u
    where u.organization_id = for_organization and u.original_period_start is null and u.period_start = for_period
      -- An array, so that the few days are looked up and not the organization's ledger read through.
      and u.usage_date = any (array(select d.date from tollgate.shared_days(for_organization) d
        where d.date between (for_period at time zone 'UTC')::date - 2 and (for_period at time zone 'UTC')::date + 70))
  ) e
  group by 1, 2, 3, 4, 5, 6
  union all
  select s.* from tollgate.sealed_postings s
  where s.organization_id = for_organization and for_period in (s.period_start, s.original_period_start)
$$;

-- Purpose: what a period's statement consists of, and what of it later ones consist of, by period, own period, model and user.
-- Parameters: for_organization, for_period (its start). Returns: a row each; posted_to is the period, or a later one;
--   own_period is the period itself, or the closed one that the entries came from.
-- Invariant: the rows that posted to the period add up to its total, sealed or not; reads rollups, and of the ledger only
--   what list_postings reads, once. Reads only.
create function tollgate.fold_statement(for_organization uuid, for_period timestamptz)
returns table (posted_to timestamptz, own_period timestamptz, model text, user_id uuid, input_tokens bigint, output_tokens bigint,
  cost_usd numeric, charge_usd numeric, message_count bigint, event_count bigint, unpriced_events bigint)
language sql stable security invoker set search_path = ''
as $$
  with period as materialized (
    select (p.period_start at time zone p.time_zone)::date as first_day, (p.period_end at time zone p.time_zone)::date as end_day
    from tollgate.organization_period(for_organization, for_period) p
  ), postings as materialized (
    select * from tollgate.list_postings(for_organization, for_period)
  ), shared as materialized (
    select d.date from tollgate.shared_days(for_organization) d
  ), parts as (
    select for_period as posted_to, for_period as own_period, m.model, m.user_id, m.input_tokens, m.output_tokens, m.cost_usd, m.charge_usd,
      m.message_count, m.event_count, m.unpriced_events
    from tollgate.usage_by_model m
    where m.organization_id = for_organization and m.date >= (select p.first_day from period p)
      and m.date < (select p.end_day from period p) and m.date not in (select s.date from shared s)
    union all
    -- What posts to a later period is in the rollup of its day, and not in this statement.
    select for_period, for_period, p.model, p.user_id, -p.input_tokens, -p.output_tokens, -p.cost_usd, -p.charge_usd,
      -p.message_count, -p.event_count, -p.unpriced_events
    from postings p
    where p.original_period_start = for_period and p.period_start <> for_period
      and p.date not in (select s.date from shared s)
    union all
    select p.period_start, p.original_period_start, p.model, p.user_id, p.input_tokens, p.output_tokens, p.cost_usd,
      p.charge_usd, p.message_count, p.event_count, p.unpriced_events
    from postings p
  )
  select p.posted_to, p.own_period, p.model, p.user_id, sum(p.input_tokens)::bigint, sum(p.output_tokens)::bigint, sum(p.cost_usd),
    sum(p.charge_usd), sum(p.message_count)::bigint, sum(p.event_count)::bigint, sum(p.unpriced_events)::bigint
  from parts p
  group by 1, 2, 3, 4
  having (sum(p.input_tokens), sum(p.output_tokens), sum(p.cost_usd), sum(p.charge_usd), sum(p.message_count),
    sum(p.event_count), sum(p.unpriced_events)) is distinct from (0, 0, 0, 0, 0, 0, 0)
$$;

grant execute on function tollgate.list_postings, tollgate.fold_statement to service_role;

-- schemas/45-reports/known_amount.sql
-- Purpose: an amount of money as reports show it. Parameters: amount; cost_usd, event_count and unpriced_events of the same
--   sums. Returns: null where nothing of them has a price.
create function tollgate.known_amount(amount numeric, cost_usd numeric, event_count numeric, unpriced_events numeric)
returns numeric
language sql immutable parallel safe
return case when unpriced_events <> event_count or event_count = 0 or cost_usd <> 0 then amount end;

grant execute on function tollgate.known_amount to service_role;

-- schemas/45-reports/list_chat_sessions.sql
-- Purpose: report_sessions for the token API. Parameters: query as of report_sessions, and viewer_user_id (who asks and sees
--   the own sessions alone; null: sees the whole organization). Returns: as report_sessions.
-- Invariant: as list_usage: the caller has settled who asks, and runs with the rights of the token API.
create function public.list_chat_sessions(query jsonb)
returns table (
  librechat_session_id text, user_id uuid, user_name text, model_used text, status text, started_at timestamptz,
  last_activity_at timestamptz, ended_at timestamptz, end_reason text, message_count text, tokens_used text, cost_usd text,
  unpriced_events text, cursor text)
language plpgsql stable security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(query);
  viewer text := asked ->> 'viewer_user_id';
begin
  if viewer is not null and viewer <> coalesce(asked ->> 'user_id', viewer) then return; end if;
  return query
    select s.librechat_session_id, s.user_id, coalesce(nullif(m.full_name, ''), m.email), s.model_used, s.status,
      s.started_at, s.last_activity_at, s.ended_at, s.end_reason, s.message_count, s.tokens_used, s.cost_usd,
      s.unpriced_events, s.cursor
    from tollgate.select_sessions(
      case when viewer is null then asked else asked || jsonb_build_object('user_id', viewer) end) s
    left join tollgate.directory_members m on m.user_id = s.user_id
      and m.organization_id = (asked ->> 'organization_id')::uuid
    order by s.started_at desc, s.user_id || ' ' || s.librechat_session_id desc;
end
$$;

revoke execute on function public.list_chat_sessions from public, anon, authenticated;
grant execute on function public.list_chat_sessions to tollgate_token_api, service_role;

-- schemas/45-reports/list_usage.sql
-- Purpose: report_usage for the token API, a page at a time. Parameters: query as of report_usage, and viewer_user_id (who
--   asks and sees the own usage alone; null: sees the whole organization), max_rows, after? (cursor of the last row of the
--   page before). Returns: as report_usage, by bucket, model, user and kind; cursor = these four as a JSON array.
-- Invariant: the caller has settled who asks; each viewer gets the rows that row level security shows to that user in
--   report_usage. Runs with the rights of the token API, which sees all rows.
create function public.list_usage(query jsonb)
returns table (
  bucket text, model text, user_id uuid, user_name text, token_kind text, tokens_used text, input_tokens text,
  output_tokens text, cache_read_input_tokens text, cache_creation_input_tokens text, reasoning_output_tokens text,
  cost_usd text, charge_usd text, message_count text, event_count text, unpriced_events text, cursor text)
language plpgsql stable security invoker set search_path = '' set jit = off
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(query);
  q tollgate.usage_report_query := tollgate.read_report_query(query);
  viewer uuid := (asked ->> 'viewer_user_id')::uuid;
  seen jsonb := (asked ->> 'after')::jsonb;
begin
  if viewer is not null and q.user_id is distinct from viewer then
    if q.user_id is not null then return; end if;
    q.user_id := viewer;
  end if;
  return query
    select r.bucket, r.model, r.user_id, coalesce(nullif(m.full_name, ''), m.email), r.token_kind, r.tokens_used,
      r.input_tokens, r.output_tokens, r.cache_read_input_tokens, r.cache_creation_input_tokens, r.reasoning_output_tokens,
      r.cost_usd, r.charge_usd, r.message_count, r.event_count, r.unpriced_events,
      jsonb_build_array(r.bucket, r.model, r.user_id, r.token_kind)::text
    from tollgate.dress_usage(q, viewer is null) r
    left join tollgate.directory_members m on m.user_id = r.user_id and m.organization_id = q.organization_id
    cross join lateral (values (coalesce(r.bucket, '') collate "C", coalesce(r.model, '') collate "C",
      coalesce(r.user_id::text, '') collate "C", coalesce(r.token_kind, '') collate "C")) k (bucket, model, who, kind)
    where seen is null or (k.bucket, k.model, k.who, k.kind)
      > (coalesce(seen ->> 0, ''), coalesce(seen ->> 1, ''), coalesce(seen ->> 2, ''), coalesce(seen ->> 3, ''))
    order by k.bucket, k.model, k.who, k.kind
    limit (asked ->> 'max_rows')::integer;
end
$$;

revoke execute on function public.list_usage from public, anon, authenticated;
grant execute on function public.list_usage to tollgate_token_api, service_role;

-- schemas/45-reports/may_read_organization.sql
-- Purpose: whether the signed-in user sees a whole organization: its admin, or super_admin.
-- Parameters: organization. Returns: boolean; false for anybody who is not signed in.
create function tollgate.may_read_organization(organization uuid) returns boolean
language sql stable security invoker set search_path = ''
as $$
  select coalesce((tollgate.my_role() = 'admin' and organization = tollgate.my_organization_id())
    or tollgate.my_role() = 'super_admin', false)
$$;

-- Purpose: the names of users whom the caller may see: own; an organization's for its admin; all for super_admin.
-- Parameters: organization. Returns: a row a user: user_id, user_name (full name, else e-mail).
-- Security definer: profiles show a user the own row alone; says nothing of users whom the caller may not see.
create function tollgate.visible_members(organization uuid) returns table (user_id uuid, user_name text)
language sql stable security definer set search_path = ''
as $$
  select m.user_id, coalesce(nullif(m.full_name, ''), m.email)
  from tollgate.directory_members m
  where m.organization_id = organization
    and (m.user_id = (select auth.uid()) or (select tollgate.may_read_organization(organization)))
$$;

grant execute on function tollgate.may_read_organization, tollgate.visible_members
  to authenticated, service_role, tollgate_token_api;

-- schemas/45-reports/newly_priced.sql
-- Purpose: calls of closed periods whose price or void posted to a period: its unpriced_events count them with a minus, that
--   would hide as many of its own. Parameters: for_organization, for_period (its start). Returns: a count, to be added.
-- Invariant: by own period and model, as the statement lists them; reads what is postponed to the period alone.
create function tollgate.newly_priced(for_organization uuid, for_period timestamptz) returns bigint
language sql stable security invoker set search_path = ''
as $$
  select coalesce(-sum(least(l.unpriced_events, 0)), 0)::bigint
  from (
    select sum(p.unpriced_events) as unpriced_events
    from (
      select u.original_period_start, u.model, u.unpriced_events::bigint
      from tollgate.usage_events u
      where u.organization_id = for_organization and u.original_period_start is not null and u.period_start = for_period
      union all
      select s.original_period_start, s.model, s.unpriced_events
      from tollgate.sealed_postings s
      where s.organization_id = for_organization and s.period_start = for_period and s.original_period_start <> for_period
    ) p
    group by p.original_period_start, p.model
  ) l
$$;

grant execute on function tollgate.newly_priced to service_role;

-- schemas/45-reports/read_report_query.sql
-- Purpose: read and check the argument of a usage report. Parameters: query = { organization_id, start, end, bucket,
--   group_by: [model | user | token_kind], user_id?, model? }; start inclusive, end exclusive, days of the organization.
-- Returns: the query, typed. Errors: 22023 for an unknown bucket or group, an empty or too long span.
-- Invariant: an hourly report, the one that reads the ledger, spans 48 hours at most. Reads nothing.
create function tollgate.read_report_query(query jsonb) returns tollgate.usage_report_query
language plpgsql immutable security invoker set search_path = ''
as $$
declare
  asked jsonb := tollgate.unwrap(query);
  groups jsonb := coalesce(asked -> 'group_by', '[]');
  q tollgate.usage_report_query;
begin
  q.organization_id := (asked ->> 'organization_id')::uuid;
  q.start_date := (asked ->> 'start')::date;
  q.end_date := (asked ->> 'end')::date;
  q.bucket := coalesce(asked ->> 'bucket', 'day');
  q.by_model := groups ? 'model';
  q.by_user := groups ? 'user';
  q.by_token_kind := groups ? 'token_kind';
  q.user_id := (asked ->> 'user_id')::uuid;
  q.model := asked ->> 'model';
  if q.organization_id is null or q.start_date is null or q.end_date is null then
    raise exception 'organization_id, start and end are required' using errcode = '22023';
  end if;
  if q.bucket not in ('hour', 'day', 'month', 'total')
    or exists (select from jsonb_array_elements_text(groups) g where g not in ('model', 'user', 'token_kind')) then
    raise exception 'bucket is one of hour, day, month, total; group_by of model, user, token_kind' using errcode = '22023';
  end if;
  if q.start_date >= q.end_date or q.end_date - q.start_date > (case q.bucket when 'hour' then 2 else 800 end) then
    raise exception 'the span must be 1 to 800 days, of hours 1 or 2 days' using errcode = '22023';
  end if;
  return q;
end
$$;

grant execute on function tollgate.read_report_query to authenticated, service_role, tollgate_token_api;

-- schemas/45-reports/report_day_start.sql
-- Purpose: the instant at which a day begins for an organization, in its present time zone.
-- Parameters: organization, day. Returns: instant.
-- Security definer: a tenant may not read settings, and learns nothing but a time zone's offset.
create function tollgate.report_day_start(organization uuid, day date) returns timestamptz
language sql stable security definer set search_path = ''
as $$
  select day::timestamp at time zone coalesce((
    select h.time_zone from tollgate.period_schedules h
    where h.organization_id = organization and h.valid_from <= now() and now() < h.valid_to), 'UTC')
$$;

grant execute on function tollgate.report_day_start to authenticated, service_role, tollgate_token_api;

-- schemas/45-reports/report_decisions.sql
-- Purpose: what was decided over an organization, newest first, a page at a time. Parameters: query = { organization_id,
--   limit? (1 to 200, default 50), after? (cursor of the last row of the page before) }.
-- Returns: a row a decision; user_id null where it is the organization's own state; user_name and actor_name null for whoever
--   is no member that the caller sees; effective_at: since when what was taken away was over, where it had lapsed with its
--   period before this was decided (null: as it was decided); inputs: what it was decided from, as the API's `inputs`; withheld: what a step would
--   have done that has no effect (null: nothing), observed: whether there is such a step.
-- Security definer: decisions are no rows that a tenant may read; an organization's admin and super_admin see them, anybody
--   else gets no row, as with GET /v1/organizations/{id}/decisions.
create function public.report_decisions(query jsonb)
returns table (
  id uuid, decided_at timestamptz, effective_at timestamptz, kind text, user_id uuid, user_name text, from_state text, to_state text, reason text,
  actor text, actor_name text, observed boolean, withheld jsonb, inputs jsonb, cursor text)
language plpgsql stable security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(query);
  organization uuid := (asked ->> 'organization_id')::uuid;
begin
  if not tollgate.may_read_organization(organization) then return; end if;
  return query
    with member as materialized (
      select v.user_id, v.user_name from tollgate.visible_members(organization) v
    )
    select d.id, d.decided_at, d.effective_at, d.kind, d.user_id, u.user_name, d.from_state, d.to_state, d.reason, d.actor, a.user_name,
      d.observed is not null, d.observed, d.inputs, d.seq::text
    from tollgate.quota_decisions d
    left join member u on u.user_id = d.user_id
    left join member a on 'user:' || a.user_id = d.actor
    where d.organization_id = organization and (asked ->> 'after' is null or d.seq < (asked ->> 'after')::bigint)
    order by d.seq desc
    limit least(greatest(coalesce((asked ->> 'limit')::integer, 50), 1), 200);
end
$$;

revoke execute on function public.report_decisions from public, anon;
grant execute on function public.report_decisions to authenticated;

-- schemas/45-reports/report_grants.sql
-- Purpose: the grants of an organization one by one, newest first, a page at a time, for its admin. Parameters: query =
--   { organization_id, limit? (1 to 200, default 50), after? (cursor of the last row of the page before) }.
-- Returns: a row a grant; state: open, spent, expired or voided; left_tokens is what may still be spent ('0' of one that is over),
--   spent_tokens what it has given up to now, in all periods; void_reason and voided_by null of one that nobody voided;
--   actor_name and voided_by_name null for whoever is no member that the caller sees.
-- Security definer: grants are no rows that a tenant may read; an organization's admin and super_admin see them, anybody
--   else gets no row.
create function public.report_grants(query jsonb)
returns table (
  id uuid, amount_tokens text, left_tokens text, spent_tokens text, priority integer, expires_at timestamptz, reason text,
  actor text, actor_name text, created_at timestamptz, closed_at timestamptz, state text, void_reason text,
  voided_by text, voided_by_name text, cursor text)
language plpgsql stable security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(query);
  organization uuid := (asked ->> 'organization_id')::uuid;
  seen jsonb := (asked ->> 'after')::jsonb;
begin
  if not tollgate.may_read_organization(organization) then return; end if;
  return query
    with page as materialized (
      select g.* from tollgate.grants g
      where g.organization_id = organization
        and (seen is null or (g.created_at, g.id) < ((seen ->> 0)::timestamptz, (seen ->> 1)::uuid))
      order by g.created_at desc, g.id desc
      limit least(greatest(coalesce((asked ->> 'limit')::integer, 50), 1), 200)
    ), spread as materialized (
      select u.grant_id, u.size, u.spent
      from tollgate.quota_inputs_at(now()) i
      left join tollgate.period_totals t on t.organization_id = i.organization_id and t.period_start = i.period_start
      cross join lateral tollgate.spread_usage(i.organization_id, i.period_start, i.period_end, i.base_limit_tokens,
        coalesce(t.used_tokens, 0)) u
      where i.organization_id = organization
    ), counted as (
      select g.*, coalesce(g.closed_at is not null or g.expires_at <= now(), false) as is_over, u.size - u.spent as rest,
        case when u.grant_id is null then (
            select coalesce(sum(s.spent_tokens), 0) from tollgate.grant_spending s where s.grant_id = g.id)
          else g.amount_tokens - (u.size - u.spent) end::bigint as given
      from page g left join spread u on u.grant_id = g.id and g.closed_at is null
    )
    select c.id, c.amount_tokens::text, case when c.is_over then 0 else coalesce(c.rest, c.amount_tokens - c.given) end::text,
      c.given::text, c.priority, c.expires_at, c.reason, c.actor, v.user_name, c.created_at, c.closed_at,
      case when c.given >= c.amount_tokens then 'spent' when c.voided_at is not null then 'voided' when c.is_over then 'expired'
        else 'open' end, c.void_reason, c.voided_by, b.user_name,
      jsonb_build_array(c.created_at, c.id)::text
    from counted c
    left join tollgate.visible_members(organization) v on 'user:' || v.user_id = c.actor
    left join tollgate.visible_members(organization) b on 'user:' || b.user_id = c.voided_by
    order by c.created_at desc, c.id desc;
end
$$;

revoke execute on function public.report_grants from public, anon;
grant execute on function public.report_grants to authenticated;

-- schemas/45-reports/report_me.sql
-- Purpose: who is signed in, for a dashboard's first view. Parameters: none. Returns: no row for a user without a profile,
--   else one; organization columns null for a user of none.
-- Security definer: says nothing of anybody but the caller.
create function public.report_me()
returns table (
  user_id uuid, email text, user_name text, role text, organization_id uuid, organization_name text, plan_type text)
language sql stable security definer set search_path = ''
as $$
  select m.user_id, m.email, coalesce(nullif(m.full_name, ''), m.email), m.role, o.organization_id, o.name, o.plan_type
  from tollgate.directory_members m
  left join tollgate.directory_organizations o on o.organization_id = m.organization_id
  where m.user_id = (select auth.uid())
$$;

revoke execute on function public.report_me from public, anon;
grant execute on function public.report_me to authenticated;

-- schemas/45-reports/report_organizations.sql
-- Purpose: every organization with its present period, by name and id. Parameters: query = { search? (part of name or domain),
--   limit? (1 to 500, default 100), after? (cursor of the last row of the page before) }.
-- Returns: a row an organization; counts as text; cost null where nothing of the period is priced.
-- Security definer: for super_admin alone, anybody else gets no row; organizations are the project's own table, whose
--   policies need not know that role.
create function public.report_organizations(query jsonb)
returns table (
  organization_id uuid, name text, domain text, plan_type text, state text, used_tokens text, limit_tokens text,
  cost_usd text, unpriced_events text, cursor text)
language plpgsql stable security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(query);
  seen jsonb := (asked ->> 'after')::jsonb;
  pattern text := '%' || regexp_replace(coalesce(asked ->> 'search', ''), '([\\%_])', '\\\1', 'g') || '%';
begin
  if tollgate.my_role() is distinct from 'super_admin' then return; end if;
  return query
    select i.organization_id, o.name, o.domain, o.plan_type, tollgate.state_at(s.state, s.lapses, s.period_end),
      coalesce(t.used_tokens, 0)::text, i.limit_tokens::text,
      tollgate.known_amount(coalesce(t.cost_usd, 0), t.cost_usd, coalesce(t.event_count, 0), n.unpriced_events)::text,
      n.unpriced_events::text, jsonb_build_array(o.name, o.organization_id)::text
    from (
      select d.* from tollgate.directory_organizations d
      where (d.name ilike pattern or d.domain ilike pattern)
        and (seen is null or (d.name, d.organization_id) > (seen ->> 0, (seen ->> 1)::uuid))
      order by d.name, d.organization_id limit least(greatest(coalesce((asked ->> 'limit')::integer, 100), 1), 500)) o
    join tollgate.quota_inputs i on i.organization_id = o.organization_id
    left join tollgate.period_totals t on t.organization_id = i.organization_id and t.period_start = i.period_start
    cross join lateral (select coalesce(t.unpriced_events, 0) + case when t.period_start is null then 0
      else tollgate.newly_priced(i.organization_id, i.period_start) end as unpriced_events) n
    left join tollgate.enforcement_states s on s.organization_id = i.organization_id
    order by o.name, o.organization_id;
end
$$;

revoke execute on function public.report_organizations from public, anon;
grant execute on function public.report_organizations to authenticated;

-- schemas/45-reports/report_quota.sql
-- Purpose: where an organization stands in its period, and what its policy will do. Parameters: query = { organization_id }.
-- Returns: no row for an organization that the caller does not belong to, else one; amounts are LLM tokens as text;
--   limit_tokens is the limit without grants, null = unlimited; mode: enforce or observe; steps: see report_steps;
--   policy: the ladder as it is configured (null: the default one), for whoever may read the whole organization alone;
--   policy_version: of the own limit and ladder, as set_quota takes it back; '0': none;
--   manual_act: { act, until (null: until it is taken back) }, null: none, to the same;
--   user_default: { limit_tokens (text; null: none), policy (null: the default ladder), version (text, as set_user_default takes
--   it back; '0': never set) }, what holds for each user without an own limit, to the same;
--   fresh_at: when the newest usage was counted.
-- Security definer: limits and states are no rows that a tenant may read; members see their own organization's, super_admin
--   every one's, and nobody anything that GET /v1/organizations/{id}/quota would not show.
create function public.report_quota(query jsonb)
returns table (
  organization_id uuid, name text, plan_type text, time_zone text, period_start timestamptz, period_end timestamptz,
  limit_tokens text, granted_tokens text, used_tokens text, reserved_tokens text, cost_usd text, unpriced_events text,
  state text, reason text, decision_id uuid, mode text, steps jsonb, policy jsonb, policy_version text,
  manual_act jsonb, user_default jsonb, fresh_at timestamptz, as_of timestamptz)
language sql stable security definer set search_path = ''
as $$
  select p.organization_id, o.name, o.plan_type, p.time_zone, p.period_start, p.period_end, p.base_limit_tokens,
    p.granted_tokens, p.used_tokens, p.reserved_tokens, p.cost_usd,
    (p.unpriced_events::bigint + tollgate.newly_priced(p.organization_id, p.period_start))::text, p.state, p.reason, p.decision_id,
    p.mode, tollgate.report_steps(p.policy, p.limit_tokens::bigint, p.granted_tokens::bigint),
    case when tollgate.may_read_organization(p.organization_id) then p.policy end, p.policy_version,
    case when tollgate.may_read_organization(p.organization_id) and p.manual_act is not null
      then jsonb_build_object('act', p.manual_act -> 'act', 'until', p.manual_act -> 'until') end,
    case when tollgate.may_read_organization(p.organization_id)
      then jsonb_build_object('limit_tokens', f.max_tokens::text, 'policy', f.policy, 'version', coalesce(f.version, 0)::text) end,
    p.counted_at, p.as_of
  from public.load_quota_position((tollgate.unwrap(query) ->> 'organization_id')::uuid) p
  join tollgate.directory_organizations o on o.organization_id = p.organization_id
  left join tollgate.user_quota_defaults f on f.organization_id = p.organization_id
  where p.organization_id = (select tollgate.my_organization_id()) or (select tollgate.my_role()) = 'super_admin'
$$;

revoke execute on function public.report_quota from public, anon;
grant execute on function public.report_quota to authenticated;

-- schemas/45-reports/report_sessions.sql
-- Purpose: chat sessions of an organization, newest first, a page at a time, without the users' names. Parameters: query =
--   { organization_id, start, end (ISO days of the organization, end exclusive; by the session's start), user_id?, status?,
--   limit? (1 to 500, default 50), after? = the `cursor` of the last row of the page before }.
-- Returns: a row a session; counts as text; cost null where nothing of it is priced. Runs with the caller's rights.
create function tollgate.select_sessions(query jsonb)
returns table (
  librechat_session_id text, user_id uuid, model_used text, status text, started_at timestamptz,
  last_activity_at timestamptz, ended_at timestamptz, end_reason text, message_count text, tokens_used text, cost_usd text,
  unpriced_events text, cursor text)
language plpgsql stable security invoker set search_path = '' set plan_cache_mode = force_custom_plan set enable_sort = off
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(query);
  q tollgate.usage_report_query := tollgate.read_report_query(asked || '{"bucket": "total"}');
  organization uuid := (q).organization_id;
  person uuid := (q).user_id;
  after_at timestamptz := split_part(asked ->> 'after', ' ', 1)::timestamptz;
  after_id text := substr(asked ->> 'after', strpos(asked ->> 'after', ' ') + 1);
  -- Settled here: rows are found by them in the index, which a policy forbids to expressions that it cannot vouch for.
  first_at timestamptz := tollgate.report_day_start(organization, (q).start_date);
  end_at timestamptz := tollgate.report_day_start(organization, (q).end_date);
begin
  return query
    select s.librechat_session_id, s.user_id, s.model_used, s.status, s.started_at, s.last_activity_at, s.ended_at,
      s.end_reason, s.message_count::text, s.total_tokens::text,
      case when s.unpriced_events > 0 and s.cost_usd = 0 then null else s.cost_usd::text end, s.unpriced_events::text,
      to_char(s.started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || ' ' || s.user_id || ' ' || s.librechat_session_id
    from public.chat_sessions s
    where s.organization_id = organization and s.started_at >= first_at and s.started_at < end_at
      and (person is null or s.user_id = person) and (asked ->> 'status' is null or s.status = asked ->> 'status')
      and (after_at is null
        or s.started_at <= after_at and (s.started_at, s.user_id || ' ' || s.librechat_session_id) < (after_at, after_id))
    order by s.started_at desc, s.user_id || ' ' || s.librechat_session_id desc
    limit least(greatest(coalesce((asked ->> 'limit')::integer, 50), 1), 500);
end
$$;

-- Purpose: chat sessions as dashboards show them. Parameters: query as of select_sessions. Returns: its rows, in its order,
--   with the users' names. Row level security decides what the caller sees.
create function public.report_sessions(query jsonb)
returns table (
  librechat_session_id text, user_id uuid, user_name text, model_used text, status text, started_at timestamptz,
  last_activity_at timestamptz, ended_at timestamptz, end_reason text, message_count text, tokens_used text, cost_usd text,
  unpriced_events text, cursor text)
language sql stable security invoker set search_path = '' set jit = off
as $$
  select s.librechat_session_id, s.user_id, v.user_name, s.model_used, s.status, s.started_at, s.last_activity_at, s.ended_at,
    s.end_reason, s.message_count, s.tokens_used, s.cost_usd, s.unpriced_events, s.cursor
  from (select tollgate.unwrap(query) as query, (tollgate.unwrap(query) ->> 'organization_id')::uuid as organization_id) a
  -- Whoever sees the own sessions alone asks for them, as in report_usage.
  cross join lateral tollgate.select_sessions(case when tollgate.may_read_organization(a.organization_id) then a.query
    else jsonb_build_object('user_id', auth.uid()) || a.query end) s
  left join lateral tollgate.visible_members(a.organization_id) v on v.user_id = s.user_id
  order by s.started_at desc, s.user_id || ' ' || s.librechat_session_id desc
$$;

grant execute on function tollgate.select_sessions to authenticated, service_role, tollgate_token_api;
revoke execute on function public.report_sessions from public, anon;
grant execute on function public.report_sessions to authenticated, service_role;

-- schemas/45-reports/report_statement.sql
-- Purpose: one group of a statement's lines as JSON. Parameters: line (sums). Returns: an object; counts and money are text,
--   money null where nothing of the line has a price.
create function tollgate.dress_statement_line(
  input_tokens numeric, output_tokens numeric, cost_usd numeric, charge_usd numeric, message_count numeric,
  event_count numeric, unpriced_events numeric) returns jsonb
language sql stable parallel safe
return jsonb_build_object('tokens_used', (input_tokens + output_tokens)::text, 'input_tokens', input_tokens::text,
  'output_tokens', output_tokens::text,
  'cost_usd', tollgate.known_amount(cost_usd, cost_usd, event_count, unpriced_events)::text,
  'charge_usd', tollgate.known_amount(charge_usd, cost_usd, event_count, unpriced_events)::text,
  'message_count', message_count::text, 'event_count', event_count::text, 'unpriced_events', unpriced_events::text);

-- Purpose: an organization's periods that have a total, newest first. Parameters: query = { organization_id }.
-- Returns: a row a period: state is frozen (closed), over (ended, still taking late usage) or open; amounts as text.
-- Security definer: as report_statement, which it lists.
create function public.report_periods(query jsonb)
returns table (period_start timestamptz, period_end timestamptz, first_day date, last_day date, state text,
  used_tokens text, cost_usd text, charge_usd text, unpriced_events text)
language sql stable security definer set search_path = ''
as $$
  select t.period_start, p.period_end, (t.period_start at time zone p.time_zone)::date,
    (p.period_end at time zone p.time_zone)::date - 1,
    case when s.closed_at is not null then 'frozen' when p.period_end <= now() then 'over' else 'open' end,
    t.used_tokens::text, tollgate.known_amount(t.cost_usd, t.cost_usd, t.event_count, n.unpriced_events)::text,
    tollgate.known_amount(t.charge_usd, t.cost_usd, t.event_count, n.unpriced_events)::text, n.unpriced_events::text
  from (select (tollgate.unwrap(query) ->> 'organization_id')::uuid as organization_id) a
  join tollgate.period_totals t on t.organization_id = a.organization_id
  cross join lateral tollgate.organization_period(a.organization_id, t.period_start) p
  cross join lateral (
    select t.unpriced_events + tollgate.newly_priced(a.organization_id, t.period_start) as unpriced_events) n
  left join tollgate.period_statements s on s.organization_id = t.organization_id and s.period_start = t.period_start
  where (select tollgate.may_read_organization(a.organization_id))
  order by t.period_start desc
$$;

-- Purpose: the statement of a period, as it is printed. Parameters: query = { organization_id, day? (an ISO day of the
--   organization that lies in the period; the present day without it) }.
-- Returns: one row, or none for whoever may not read the organization. total is the frozen one where the period is closed,
--   else what it is up to now. models and users are lines of the period's own usage, earlier of what belongs to closed
--   periods and posted here, by period and model; models and earlier together add up to the total, users and earlier too.
--   later: what belongs to this period and posted to later ones. Counts and money are text, null money has no price. A line
--   of earlier whose unpriced_events are negative has got its price here: no total counts that against its own.
-- Security definer: statements and closing figures are no rows that a tenant may read; an organization's admin and
--   super_admin see them.
create function public.report_statement(query jsonb)
returns table (organization_id uuid, name text, domain text, plan_type text, time_zone text, period_start timestamptz,
  period_end timestamptz, first_day date, last_day date, state text, closed_at timestamptz, total jsonb, models jsonb,
  users jsonb, earlier jsonb, later jsonb, as_of timestamptz)
language plpgsql stable security definer set search_path = '' set jit = off
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(query);
  organization uuid := (asked ->> 'organization_id')::uuid;
  day date := (asked ->> 'day')::date;
  period record;
begin
  if not tollgate.may_read_organization(organization) then return; end if;
  -- Noon of the organization's own clock lies on the day whatever daylight saving does.
  select p.* into period
  from tollgate.schedules_of(organization) h
  cross join lateral (select case when day is null then now()
    else (day + time '12:00') at time zone h.time_zone end as at) i
  cross join lateral tollgate.organization_period(organization, i.at) p
  where h.valid_from <= i.at and i.at < h.valid_to
  order by h.valid_from desc limit 1;
  return query
    with folded as materialized (
      select f.* from tollgate.fold_statement(organization, period.period_start) f
    ), lines as materialized (
      select f.* from folded f where f.posted_to = period.period_start
    ), names as (
      select v.user_id, v.user_name from tollgate.visible_members(organization) v
    ), by_model as (
      select l.model, sum(l.input_tokens + l.output_tokens) as tokens, tollgate.dress_statement_line(sum(l.input_tokens),
        sum(l.output_tokens), sum(l.cost_usd), sum(l.charge_usd), sum(l.message_count), sum(l.event_count),
        sum(l.unpriced_events)) as figures
      from lines l where l.own_period = period.period_start group by l.model
    ), by_user as (
      select l.user_id, n.user_name, sum(l.input_tokens + l.output_tokens) as tokens, tollgate.dress_statement_line(
        sum(l.input_tokens), sum(l.output_tokens), sum(l.cost_usd), sum(l.charge_usd), sum(l.message_count),
        sum(l.event_count), sum(l.unpriced_events)) as figures
      from lines l left join names n on n.user_id = l.user_id
      where l.own_period = period.period_start group by l.user_id, n.user_name
    ), by_period as (
      select l.own_period, l.model, -least(sum(l.unpriced_events), 0) as newly_priced, tollgate.dress_statement_line(sum(l.input_tokens), sum(l.output_tokens),
        sum(l.cost_usd), sum(l.charge_usd), sum(l.message_count), sum(l.event_count), sum(l.unpriced_events)) as figures
      from lines l where l.own_period <> period.period_start group by l.own_period, l.model
    ), postponed as (
      select f.posted_to, tollgate.dress_statement_line(sum(f.input_tokens), sum(f.output_tokens), sum(f.cost_usd),
        sum(f.charge_usd), sum(f.message_count), sum(f.event_count), sum(f.unpriced_events)) as figures
      from folded f where f.posted_to <> period.period_start group by f.posted_to
    )
    select o.organization_id, o.name, o.domain, o.plan_type, period.time_zone, period.period_start, period.period_end,
      (period.period_start at time zone period.time_zone)::date,
      (period.period_end at time zone period.time_zone)::date - 1,
      case when s.closed_at is not null then 'frozen' when period.period_end <= now() then 'over' else 'open' end, s.closed_at,
      tollgate.statement_total(s, t, (select coalesce(sum(e.newly_priced), 0) from by_period e)),
      (select coalesce(jsonb_agg(m.figures || jsonb_build_object('model', m.model) order by m.tokens desc, m.model), '[]')
        from by_model m),
      (select coalesce(jsonb_agg(u.figures || jsonb_build_object('user_id', u.user_id, 'user_name', u.user_name)
        order by u.tokens desc, u.user_name, u.user_id), '[]') from by_user u),
      (select coalesce(jsonb_agg(e.figures || jsonb_build_object('period_start', e.own_period, 'model', e.model)
        order by e.own_period, e.model), '[]') from by_period e),
      (select coalesce(jsonb_agg(l.figures || jsonb_build_object('period_start', l.posted_to) order by l.posted_to), '[]')
        from postponed l),
      now()
    from tollgate.directory_organizations o
    left join tollgate.period_totals t on t.organization_id = organization and t.period_start = period.period_start
    left join tollgate.period_statements s on s.organization_id = organization and s.period_start = period.period_start
    where o.organization_id = organization;
end
$$;

-- Purpose: the total of a statement: the frozen one, else the present one. Parameters: frozen, present (either may be null);
--   newly_priced (see the function of that name). Returns: an object as the lines' are, without kinds of LLM tokens and
--   messages, which totals do not keep.
create function tollgate.statement_total(frozen tollgate.period_statements, present tollgate.period_totals,
  newly_priced numeric) returns jsonb
language sql stable parallel safe
return (
  select jsonb_build_object('tokens_used', f.used_tokens::text,
    'cost_usd', tollgate.known_amount(f.cost_usd, f.cost_usd, f.event_count, f.unpriced_events)::text,
    'charge_usd', tollgate.known_amount(f.charge_usd, f.cost_usd, f.event_count, f.unpriced_events)::text,
    'event_count', f.event_count::text, 'unpriced_events', f.unpriced_events::text)
  from (select
    coalesce((frozen).used_tokens, (present).used_tokens, 0) as used_tokens,
    coalesce((frozen).cost_usd, (present).cost_usd, 0) as cost_usd,
    coalesce((frozen).charge_usd, (present).charge_usd, 0) as charge_usd,
    coalesce((frozen).event_count, (present).event_count, 0) as event_count,
    coalesce((frozen).unpriced_events, (present).unpriced_events, 0) + newly_priced as unpriced_events) f);

revoke execute on function public.report_periods, public.report_statement from public, anon;
grant execute on function public.report_periods, public.report_statement to authenticated, service_role;

-- schemas/45-reports/report_summary.sql
-- Purpose: where the span begins that another one is compared with. Parameters: q (the span), asked (its first day; null: as
--   many days before as the span has). Returns: the day. Errors: 22023 where the two would overlap. Reads nothing.
create function tollgate.previous_span_start(q tollgate.usage_report_query, asked date) returns date
language plpgsql immutable security invoker set search_path = ''
as $$
declare
  days integer := (q).end_date - (q).start_date;
begin
  if asked > (q).start_date - days then
    raise exception 'the span before must end where the span begins, or earlier' using errcode = '22023';
  end if;
  return coalesce(asked, (q).start_date - days);
end
$$;

-- Purpose: the totals of one span. Parameters: organization, person (null: everybody whom the caller may see), first_day,
--   end_day (exclusive). Returns: one row; cost and charge null where nothing is priced. Reads rollups and the index of
--   sessions, with the caller's rights; plans know whether it is one person, and hash the users instead of sorting rows.
create function tollgate.sum_span(organization uuid, person uuid, first_day date, end_day date)
returns table (tokens numeric, cost numeric, charge numeric, messages numeric, users bigint, unpriced numeric, sessions bigint)
language plpgsql stable security invoker set search_path = '' set enable_sort = off set plan_cache_mode = force_custom_plan
as $$
#variable_conflict use_column
declare
  -- Settled here: rows are found by them in the index, which a policy forbids to expressions that it cannot vouch for.
  first_at timestamptz := tollgate.report_day_start(organization, first_day);
  end_at timestamptz := tollgate.report_day_start(organization, end_day);
begin
  return query
    select coalesce(t.tokens, 0), case when t.unpriced < t.events or t.events is null or t.events = 0 then coalesce(t.cost, 0) end,
      case when t.unpriced < t.events or t.events is null or t.events = 0 then coalesce(t.charge, 0) end,
      coalesce(t.messages, 0), t.users, coalesce(t.unpriced, 0),
      (select count(*) from public.chat_sessions c
        where c.organization_id = organization and c.started_at >= first_at and c.started_at < end_at
          and (person is null or c.user_id = person))
    from (
      select sum(u.tokens) as tokens, sum(u.cost) as cost, sum(u.charge) as charge, sum(u.messages) as messages,
        sum(u.events) as events, sum(u.unpriced) as unpriced, count(*) filter (where u.is_active) as users
      from (
        select sum(m.tokens_used) as tokens, sum(m.cost_usd) as cost, sum(m.charge_usd) as charge,
          sum(m.message_count) as messages, sum(m.event_count) as events, sum(m.unpriced_events) as unpriced,
          bool_or(m.tokens_used > 0) as is_active
        from (
          select f.user_id, f.total_tokens as tokens_used, f.cost_usd, f.charge_usd, f.message_count, f.event_count, f.unpriced_events
          from tollgate.report_parts(organization, first_day, end_day, true) p join tollgate.usage_by_month f
            on f.organization_id = organization and f.month >= p.first_day and f.month < p.end_day
          where p.is_folded and f.model is null and (person is null or f.user_id = person)
          union all
          select d.user_id, d.tokens_used, d.cost_usd, d.charge_usd, d.message_count, d.event_count, d.unpriced_events
          from tollgate.report_parts(organization, first_day, end_day, true) p join public.usage_metrics d
            on d.organization_id = organization and d.date >= p.first_day and d.date < p.end_day
          where not p.is_folded and (person is null or d.user_id = person)) m
        group by m.user_id) u) t;
end
$$;

grant execute on function tollgate.previous_span_start, tollgate.sum_span to authenticated, service_role;

-- Purpose: the totals of a span and of an earlier one, as tiles show them. Parameters: query = { organization_id, start, end
--   (ISO days of the organization, end exclusive), user_id?, previous_start? (the first day of the earlier span; absent: it
--   ends where this one begins) }.
-- Returns: one row; each figure with the same of as many days from previous_start on as `previous_…`; counts as text; cost
--   null where nothing is priced. Errors: 22023 where the two spans overlap. Reads rollups, with the caller's rights: row
--   level security decides.
create function public.report_summary(query jsonb)
returns table (
  tokens_used text, cost_usd text, charge_usd text, message_count text, active_users text, sessions text,
  unpriced_events text, previous_tokens_used text, previous_cost_usd text, previous_charge_usd text,
  previous_message_count text, previous_active_users text, previous_sessions text, previous_unpriced_events text)
language sql stable security invoker set search_path = '' set jit = off
as $$
  with asked as materialized (
    select (q).organization_id, (q).start_date, (q).end_date, (q).end_date - (q).start_date as days,
      tollgate.previous_span_start(q, (tollgate.unwrap(query) ->> 'previous_start')::date) as before_date,
      -- Whoever sees the own usage alone asks for it, as in report_usage.
      coalesce((q).user_id, case when not tollgate.may_read_organization((q).organization_id) then auth.uid() end) as user_id
    from (select tollgate.read_report_query(tollgate.unwrap(query) || '{"bucket": "total"}') as q) r
  )
  select n.tokens::text, n.cost::text, n.charge::text, n.messages::text, n.users::text, n.sessions::text, n.unpriced::text,
    b.tokens::text, b.cost::text, b.charge::text, b.messages::text, b.users::text, b.sessions::text, b.unpriced::text
  from asked a
  cross join lateral tollgate.sum_span(a.organization_id, a.user_id, a.start_date, a.end_date) n
  cross join lateral tollgate.sum_span(a.organization_id, a.user_id, a.before_date, a.before_date + a.days) b
$$;

revoke execute on function public.report_summary from public, anon;
grant execute on function public.report_summary to authenticated, service_role;

-- schemas/45-reports/report_usage.sql
-- Purpose: usage of an organization by time, model, user and kind of LLM token, as dashboards show it.
-- Parameters: query = { organization_id, start, end (ISO days of the organization, end exclusive), bucket: hour | day |
--   month | total, group_by: [model | user | token_kind], user_id?, model? }.
-- Returns: a row a bucket and group that has usage; counts as text; cost and charge null where nothing of the row is
--   priced, or where the row is one kind of LLM token, which has no cost of its own; sub-counts null where the report does
--   not know them. Invariant: reads rollups, never the ledger (bucket hour alone does). Row level security decides what
--   the caller sees.
create function public.report_usage(query jsonb)
returns table (
  bucket text, model text, user_id uuid, user_name text, token_kind text, tokens_used text, input_tokens text,
  output_tokens text, cache_read_input_tokens text, cache_creation_input_tokens text, reasoning_output_tokens text,
  cost_usd text, charge_usd text, message_count text, event_count text, unpriced_events text)
language plpgsql stable security invoker set search_path = '' set jit = off
as $$
#variable_conflict use_column
declare
  q tollgate.usage_report_query := tollgate.read_report_query(query);
  is_whole boolean := tollgate.may_read_organization((q).organization_id);
begin
  -- Whoever sees the own usage alone asks for it: the policy would come to the same after looking at everybody's.
  if not is_whole then q.user_id := coalesce(q.user_id, auth.uid()); end if;
  return query
    select r.bucket, r.model, r.user_id, v.user_name, r.token_kind, r.tokens_used, r.input_tokens, r.output_tokens,
      r.cache_read_input_tokens, r.cache_creation_input_tokens, r.reasoning_output_tokens, r.cost_usd, r.charge_usd,
      r.message_count, r.event_count, r.unpriced_events
    from tollgate.dress_usage(q, is_whole) r
    left join tollgate.visible_members(case when (q).by_user then (q).organization_id end) v on v.user_id = r.user_id
    order by r.bucket collate "C", r.token_kind collate "C", r.tokens_used::bigint desc, r.model collate "C", v.user_name,
      r.user_id;
end
$$;

revoke execute on function public.report_usage from public, anon;
grant execute on function public.report_usage to authenticated, service_role;

-- Purpose: report_usage as one value, for callers whose API cuts answers off after so many rows (PostgREST's max_rows, 1,000 on
--   Supabase): a report is whole or fails, and never a part that looks like it. Parameters: as report_usage.
-- Returns: its rows as a jsonb array, in its order. Row level security decides what the caller sees.
create function public.report_usage_whole(query jsonb) returns jsonb
language sql stable security invoker set search_path = '' set jit = off
as $$
  select coalesce(jsonb_agg(r.row order by r.ordinality), '[]')
  from (select to_jsonb(u) - 'ordinality' as row, u.ordinality from public.report_usage(query) with ordinality u) r
$$;

revoke execute on function public.report_usage_whole from public, anon;
grant execute on function public.report_usage_whole to authenticated, service_role;

-- schemas/45-reports/report_user_limits.sql
-- Purpose: the users of an organization with what they have used in the present period and their own limits, for its admin;
--   to a user the own row alone.
-- Parameters: query = { organization_id, limit? (1 to 500, default 100), after? (cursor of the last row of the page before) }.
-- Returns: a row a user, by name; amounts are LLM tokens as text; limit_tokens is what holds for the user alone (null = none),
--   limit_from whose it is: `user`, or the organization's `default` for its users (null: nobody set one); state is that of
--   this limit; policy is the ladder that it is measured against (null: the default one), for whoever sees all alone. Security definer: limits and states are no rows that a tenant may read; the organization's admin and
--   super_admin see them, a member the own, anybody else gets no row, as with GET
--   /v1/organizations/{id}/users/{user}/quota.
create function public.report_user_limits(query jsonb)
returns table (user_id uuid, user_name text, role text, used_tokens text, limit_tokens text, limit_from text,
  state text, reason text, policy jsonb, cursor text)
language plpgsql stable security definer set search_path = ''
as $$
#variable_conflict use_column
declare
  asked jsonb := tollgate.unwrap(query);
  organization uuid := (asked ->> 'organization_id')::uuid;
  seen jsonb := (asked ->> 'after')::jsonb;
  sees_all boolean := tollgate.may_read_organization(organization);
begin
  if not sees_all and organization is distinct from tollgate.my_organization_id() then return; end if;
  return query
    with period as materialized (
      select (p.period_start at time zone p.time_zone)::date as first_day, (p.period_end at time zone p.time_zone)::date as end_day
      from tollgate.organization_period(organization) p
    ), member as materialized (
      select m.user_id, coalesce(nullif(m.full_name, ''), m.email) as user_name, m.role
      from tollgate.directory_members m
      where m.organization_id = organization and (sees_all or m.user_id = (select auth.uid()))
        and (seen is null or (coalesce(nullif(m.full_name, ''), m.email), m.user_id) > (seen ->> 0, (seen ->> 1)::uuid))
      order by 2, 1 limit least(greatest(coalesce((asked ->> 'limit')::integer, 100), 1), 500)
    )
    select m.user_id, m.user_name, m.role, u.used::text,
      case when q.is_own then q.max_tokens else f.max_tokens end::text,
      case when q.is_own then 'user' when f.is_limiting then 'default' end,
      tollgate.state_at(s.state, s.lapses, s.period_end),
      case when not tollgate.is_lapsed(s.lapses, s.period_end) then s.reason end,
      case when sees_all then coalesce(q.policy, f.policy) end,
      jsonb_build_array(m.user_name, m.user_id)::text
    from member m
    cross join period p
    left join tollgate.user_quotas q on q.organization_id = organization and q.user_id = m.user_id
    left join tollgate.user_quota_defaults f on f.organization_id = organization
    left join tollgate.user_enforcement_states s on s.organization_id = organization and s.user_id = m.user_id
    cross join lateral (
      select coalesce(sum(r.tokens_used), 0)::bigint as used from public.usage_metrics r
      where r.organization_id = organization and r.user_id = m.user_id and r.date >= p.first_day and r.date < p.end_day) u
    order by m.user_name, m.user_id;
end
$$;

revoke execute on function public.report_user_limits from public, anon;
grant execute on function public.report_user_limits to authenticated, service_role;

-- schemas/45-reports/report_webhook_deliveries.sql
-- Purpose: what was sent to an organization's endpoints, for its admin, newest first, a page at a time.
-- Parameters: query = { organization_id, limit? (1 to 500, default 50), after? = the `cursor` of the last row of the page
--   before }. Returns: a row a delivery; nothing for whoever may not read the organization.
-- Security definer: endpoints hold secrets, so that no signed-in user may read their table; none is returned.
create function public.report_webhook_deliveries(query jsonb)
returns table (id uuid, endpoint_url text, type text, created_at timestamptz, state text, attempts integer, last_status integer,
  last_error text, delivered_at timestamptz, cursor text)
language sql stable security definer set search_path = ''
as $$
  select d.id, e.url, d.type, d.created_at, d.state, d.attempts, d.last_status, d.last_error, d.delivered_at, d.seq::text
  from (select (a ->> 'organization_id')::uuid as organization_id, (a ->> 'after')::bigint as after,
    least(greatest(coalesce((a ->> 'limit')::integer, 50), 1), 500) as max_rows
    from (select tollgate.unwrap(query) as a) r) q
  cross join lateral (
    select p.* from tollgate.webhook_endpoints o
    join tollgate.webhook_deliveries p on p.endpoint_id = o.id
    where o.organization_id = q.organization_id and (q.after is null or p.seq < q.after)
    order by p.seq desc limit q.max_rows) d
  join tollgate.webhook_endpoints e on e.id = d.endpoint_id
  where (select tollgate.may_read_organization(q.organization_id))
  order by d.seq desc
$$;

revoke execute on function public.report_webhook_deliveries from public, anon;
grant execute on function public.report_webhook_deliveries to authenticated, service_role;

-- schemas/45-reports/sum_usage.sql
-- Purpose: the bucket that a day falls into, as its beginning: rows are grouped by times, which cost a fraction of texts.
-- Parameters: day, bucket (day | month | total). Returns: timestamp, null for the total.
create function tollgate.report_day(day date, bucket text) returns timestamp
language sql immutable parallel safe
return case bucket when 'day' then day::timestamp when 'month' then date_trunc('month', day::timestamp) end;

-- Purpose: its name. Parameters: as above, day being the beginning. Returns: ISO date or month, null for the total.
-- Stable as to_char is: a function that claims more than its body is called for every row instead of becoming part of the query.
create function tollgate.report_bucket(day timestamp, bucket text) returns text
language sql stable parallel safe
return case bucket when 'day' then to_char(day, 'YYYY-MM-DD') when 'month' then to_char(day, 'YYYY-MM') end;

-- Purpose: the parts of a span that are read in one go: months that are folded, and the days before, between and after them.
-- Parameters: organization, first_day, end_day (exclusive), by_month (false: all by the day). Returns: a row a part. Runs with
--   the caller's rights. Whoever sees the own usage alone sees the own months alone: in another one that is folded the caller
--   has no usage, by the day neither.
create function tollgate.report_parts(organization uuid, first_day date, end_day date, by_month boolean)
returns table (first_day date, end_day date, is_folded boolean)
language sql stable security invoker set search_path = '' rows 3
as $$
  select greatest(min(g.month), report_parts.first_day), least((max(g.month) + interval '1 month')::date, report_parts.end_day),
    g.is_folded
  from (
    select m.month, m.is_folded, m.month - row_number() over (partition by m.is_folded order by m.month) * interval '1 month' as run
    from (
      select s::date as month, by_month and s >= report_parts.first_day and s + interval '1 month' <= report_parts.end_day
        and exists (
          select from tollgate.usage_by_month f where f.organization_id = organization and f.month = s::date) as is_folded
      from generate_series(date_trunc('month', report_parts.first_day::timestamp), report_parts.end_day - 1, '1 month') s) m) g
  group by g.is_folded, g.run
$$;

-- Purpose: sums of a usage report from the ledger, by the hour. Parameters: q (checked). Returns: rows of the report; the
--   bucket is the hour's beginning, as an instant in UTC. Reads at most two days of one organization, by index, with the
--   caller's rights.
create function tollgate.sum_usage_by_hour(q tollgate.usage_report_query) returns setof tollgate.usage_report_row
language sql stable security invoker set search_path = ''
as $$
  select to_char(date_trunc('hour', e.time at time zone 'UTC'), 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    case when (q).by_model then e.model end, case when (q).by_user then e.user_id end,
    sum(e.input_tokens), sum(e.output_tokens), sum(e.cache_read_input_tokens), sum(e.cache_creation_input_tokens),
    sum(e.reasoning_output_tokens), coalesce(sum(e.cost_usd), 0), coalesce(sum(e.charge_usd), 0), sum(e.message_count),
    sum(e.event_count), sum(e.unpriced_events)
  from tollgate.usage_events e
  where e.organization_id = (q).organization_id and e.usage_date >= (q).start_date and e.usage_date < (q).end_date
    -- A day of any time zone lies within these: only the months concerned are looked at.
    and e.time >= ((q).start_date::timestamp at time zone 'UTC') - interval '14 hours'
    and e.time < ((q).end_date::timestamp at time zone 'UTC') + interval '12 hours'
    and ((q).user_id is null or e.user_id = (q).user_id) and ((q).model is null or e.model = (q).model)
  group by 1, 2, 3
$$;

-- Purpose: the same from the rollup by user and model. Parameters, returns: as above; the bucket is a day, month or all.
-- Groups are few and rows are many, which the planner cannot know of rows that a policy hides: without sorts it hashes them.
create function tollgate.sum_usage_by_model_and_user(q tollgate.usage_report_query) returns setof tollgate.usage_report_row
language sql stable security invoker set search_path = '' set enable_sort = off
as $$
  select tollgate.report_bucket(g.day, (q).bucket), g.model, g.user_id, g.input_tokens, g.output_tokens,
    g.cache_read_input_tokens, g.cache_creation_input_tokens, g.reasoning_output_tokens, g.cost_usd, g.charge_usd,
    g.message_count, g.event_count, g.unpriced_events
  from (
    select tollgate.report_day(m.date, (q).bucket) as day, case when (q).by_model then m.model end as model,
      case when (q).by_user then m.user_id end as user_id,
      sum(m.input_tokens) as input_tokens, sum(m.output_tokens) as output_tokens,
      sum(m.cache_read_input_tokens) as cache_read_input_tokens, sum(m.cache_creation_input_tokens) as cache_creation_input_tokens,
      sum(m.reasoning_output_tokens) as reasoning_output_tokens, sum(m.cost_usd) as cost_usd, sum(m.charge_usd) as charge_usd,
      sum(m.message_count) as message_count, sum(m.event_count) as event_count, sum(m.unpriced_events) as unpriced_events
    from tollgate.usage_by_model m
    where m.organization_id = (q).organization_id and m.date >= (q).start_date and m.date < (q).end_date
      and ((q).model is null or m.model = (q).model)
    group by 1, 2, 3) g
$$;

-- Purpose: the same of one user. Parameters: as above; q.user_id is not null. Returns: as above. A condition of its own, so
--   that the others' rows are passed over in the index.
create function tollgate.sum_usage_of_user(q tollgate.usage_report_query) returns setof tollgate.usage_report_row
language sql stable security invoker set search_path = '' set enable_sort = off
as $$
  select tollgate.report_bucket(g.day, (q).bucket), g.model, g.user_id, g.input_tokens, g.output_tokens,
    g.cache_read_input_tokens, g.cache_creation_input_tokens, g.reasoning_output_tokens, g.cost_usd, g.charge_usd,
    g.message_count, g.event_count, g.unpriced_events
  from (
    select tollgate.report_day(m.date, (q).bucket) as day, case when (q).by_model then m.model end as model,
      case when (q).by_user then m.user_id end as user_id,
      sum(m.input_tokens) as input_tokens, sum(m.output_tokens) as output_tokens,
      sum(m.cache_read_input_tokens) as cache_read_input_tokens, sum(m.cache_creation_input_tokens) as cache_creation_input_tokens,
      sum(m.reasoning_output_tokens) as reasoning_output_tokens, sum(m.cost_usd) as cost_usd, sum(m.charge_usd) as charge_usd,
      sum(m.message_count) as message_count, sum(m.event_count) as event_count, sum(m.unpriced_events) as unpriced_events
    from tollgate.usage_by_model m
    where m.organization_id = (q).organization_id and m.date >= (q).start_date and m.date < (q).end_date
      and m.user_id = (q).user_id and ((q).model is null or m.model = (q).model)
    group by 1, 2, 3) g
$$;

-- Purpose: the same from the rollup by model, which knows no users, and its folded months. Parameters, returns: as above.
create function tollgate.sum_usage_by_model(q tollgate.usage_report_query) returns setof tollgate.usage_report_row
language sql stable security invoker set search_path = '' set enable_sort = off
as $$
  with part as materialized (
    select p.* from tollgate.report_parts((q).organization_id, (q).start_date, (q).end_date, (q).bucket <> 'day') p
  )
  select tollgate.report_bucket(g.day, (q).bucket), g.model, g.user_id, g.input_tokens, g.output_tokens,
    g.cache_read_input_tokens, g.cache_creation_input_tokens, g.reasoning_output_tokens, g.cost_usd, g.charge_usd,
    g.message_count, g.event_count, g.unpriced_events
  from (
    select tollgate.report_day(m.date, (q).bucket) as day, case when (q).by_model then m.model end as model, null::uuid as user_id,
      sum(m.input_tokens) as input_tokens, sum(m.output_tokens) as output_tokens,
      sum(m.cache_read_input_tokens) as cache_read_input_tokens, sum(m.cache_creation_input_tokens) as cache_creation_input_tokens,
      sum(m.reasoning_output_tokens) as reasoning_output_tokens, sum(m.cost_usd) as cost_usd, sum(m.charge_usd) as charge_usd,
      sum(m.message_count) as message_count, sum(m.event_count) as event_count, sum(m.unpriced_events) as unpriced_events
    from (
      select f.month as date, f.model, f.input_tokens, f.output_tokens, f.cache_read_input_tokens,
        f.cache_creation_input_tokens, f.reasoning_output_tokens, f.cost_usd, f.charge_usd, f.message_count, f.event_count,
        f.unpriced_events
      from part p join tollgate.usage_by_month f
        on f.organization_id = (q).organization_id and f.month >= p.first_day and f.month < p.end_day
      where p.is_folded and f.user_id is null
      union all
      select d.date, d.model, d.input_tokens, d.output_tokens, d.cache_read_input_tokens, d.cache_creation_input_tokens,
        d.reasoning_output_tokens, d.cost_usd, d.charge_usd, d.message_count, d.event_count, d.unpriced_events
      from part p join tollgate.usage_by_organization_model d
        on d.organization_id = (q).organization_id and d.date >= p.first_day and d.date < p.end_day
      where not p.is_folded) m
    where (q).model is null or m.model = (q).model
    group by 1, 2) g
$$;

-- Purpose: the same from usage_metrics, which knows no models and no kinds of input, and its folded months. Parameters,
--   returns: as above.
create function tollgate.sum_usage_by_user(q tollgate.usage_report_query) returns setof tollgate.usage_report_row
language sql stable security invoker set search_path = '' set enable_sort = off
as $$
  with part as materialized (
    select p.* from tollgate.report_parts((q).organization_id, (q).start_date, (q).end_date, (q).bucket <> 'day') p
  )
  select tollgate.report_bucket(g.day, (q).bucket), g.model, g.user_id, g.input_tokens, g.output_tokens,
    g.cache_read_input_tokens, g.cache_creation_input_tokens, g.reasoning_output_tokens, g.cost_usd, g.charge_usd,
    g.message_count, g.event_count, g.unpriced_events
  from (
    select tollgate.report_day(m.date, (q).bucket) as day, null::text as model, case when (q).by_user then m.user_id end as user_id,
      sum(m.input_tokens) as input_tokens, sum(m.output_tokens) as output_tokens, null::bigint as cache_read_input_tokens,
      null::bigint as cache_creation_input_tokens, null::bigint as reasoning_output_tokens, sum(m.cost_usd) as cost_usd,
      sum(m.charge_usd) as charge_usd, sum(m.message_count) as message_count, sum(m.event_count) as event_count,
      sum(m.unpriced_events) as unpriced_events
    from (
      select f.month as date, f.user_id, f.input_tokens, f.output_tokens, f.cost_usd, f.charge_usd, f.message_count,
        f.event_count, f.unpriced_events
      from part p join tollgate.usage_by_month f
        on f.organization_id = (q).organization_id and f.month >= p.first_day and f.month < p.end_day
      where p.is_folded and f.model is null and ((q).user_id is null or f.user_id = (q).user_id)
      union all
      select d.date, d.user_id, d.input_tokens, d.output_tokens, d.cost_usd, d.charge_usd, d.message_count, d.event_count,
        d.unpriced_events
      from part p join public.usage_metrics d
        on d.organization_id = (q).organization_id and d.date >= p.first_day and d.date < p.end_day
      where not p.is_folded and ((q).user_id is null or d.user_id = (q).user_id)) m
    group by 1, 3) g
$$;

-- Purpose: sums of a usage report from the smallest table that knows enough. Parameters: q (checked); is_whole: whether who
--   asks sees the whole organization, and with it the rollup that knows no users. Returns: as above.
-- Invariant: which table is read, and which months are folded, never changes a figure: all are folds of the same ledger.
create function tollgate.sum_usage(q tollgate.usage_report_query, is_whole boolean) returns setof tollgate.usage_report_row
language plpgsql stable security invoker set search_path = ''
as $$
begin
  if (q).bucket = 'hour' then
    return query select * from tollgate.sum_usage_by_hour(q);
  elsif (q).by_user and not (q).by_model and not (q).by_token_kind and (q).model is null then
    return query select * from tollgate.sum_usage_by_user(q);
  elsif (q).user_id is not null then
    return query select * from tollgate.sum_usage_of_user(q);
  elsif not (q).by_user and is_whole then
    return query select * from tollgate.sum_usage_by_model(q);
  else
    return query select * from tollgate.sum_usage_by_model_and_user(q);
  end if;
end
$$;

grant execute on function tollgate.report_day, tollgate.report_bucket, tollgate.report_parts, tollgate.sum_usage_by_hour,
  tollgate.sum_usage_by_model_and_user, tollgate.sum_usage_of_user, tollgate.sum_usage_by_model, tollgate.sum_usage_by_user,
  tollgate.sum_usage to authenticated, service_role, tollgate_token_api;

-- schemas/45-reports/views.sql
-- For BI tools: the rollups under stable names. They run with the reader's rights, so that row level security holds.
create view public.usage_daily_by_model with (security_invoker = true) as
  select m.organization_id, m.date, m.model, m.user_id, m.total_tokens as tokens_used, m.input_tokens, m.output_tokens,
    m.cache_read_input_tokens, m.cache_creation_input_tokens, m.reasoning_output_tokens,
    case when m.unpriced_events < m.event_count or m.event_count = 0 then m.cost_usd end as cost_usd,
    case when m.unpriced_events < m.event_count or m.event_count = 0 then m.charge_usd end as charge_usd,
    m.message_count, m.event_count, m.unpriced_events
  from tollgate.usage_by_model m;

create view public.usage_daily_by_user with (security_invoker = true) as
  select m.organization_id, m.date, m.user_id, m.tokens_used, m.input_tokens, m.output_tokens,
    case when m.unpriced_events < m.event_count or m.event_count = 0 then m.cost_usd end as cost_usd,
    case when m.unpriced_events < m.event_count or m.event_count = 0 then m.charge_usd end as charge_usd,
    m.message_count, m.event_count, m.unpriced_events
  from public.usage_metrics m;

revoke all on public.usage_daily_by_model, public.usage_daily_by_user from public, anon;
grant select on public.usage_daily_by_model, public.usage_daily_by_user to authenticated, service_role;

-- schemas/47-adopt/note_adopted_rows.sql
-- What was in usage_metrics and chat_sessions when Tollgate came (15-adopt; nothing in a new project). Usage is noted, and
-- reconcile posts it as opening balances; a session stands among the closing figures with what it had, so that later usage
-- of it adds up.
insert into tollgate.preexisting_usage (organization_id, user_id, date, tokens_used, output_tokens, cost_usd, charge_usd,
  message_count, unpriced_events)
select m.organization_id, m.user_id, m.date, m.tokens_used, m.output_tokens, m.cost_usd, m.charge_usd, m.message_count,
  m.unpriced_events
from public.usage_metrics m
where m.tokens_used > 0 or m.cost_usd > 0 or m.message_count > 0
on conflict do nothing;

insert into tollgate.sealed_sessions (organization_id, user_id, librechat_session_id, message_count, input_tokens,
  output_tokens, total_tokens, cost_usd, charge_usd, unpriced_events)
select s.organization_id, s.user_id, s.librechat_session_id, s.message_count, s.input_tokens, s.output_tokens,
  s.total_tokens, s.cost_usd, s.charge_usd, s.unpriced_events
from public.chat_sessions s
on conflict do nothing;

-- schemas/50-policies/readers.sql
-- What a BI tool may read: the rollups of all organizations, through the views or as they are, and whom they belong to.
-- Neither the ledger, nor users' names, nor what an organization has configured.
grant usage on schema tollgate, public to tollgate_reader;
grant select on public.usage_metrics, tollgate.usage_by_model, tollgate.usage_by_organization_model,
  public.usage_daily_by_model, public.usage_daily_by_user to tollgate_reader;
grant select (organization_id, name, domain, plan_type) on tollgate.directory_organizations to tollgate_reader;

create policy tollgate_reader_select on public.usage_metrics for select to tollgate_reader using (true);
create policy tollgate_reader_select on tollgate.usage_by_model for select to tollgate_reader using (true);
create policy tollgate_reader_select on tollgate.usage_by_organization_model for select to tollgate_reader using (true);

-- schemas/50-policies/services-accounts.sql
-- What each service may touch: the tables that its functions need (they run with the caller's rights), and no other.
select tollgate.open_table('tollgate.organization_settings',
  '{"tollgate_token_api": ["select", "insert", "update"], "tollgate_usage_worker": ["select"], "tollgate_quota_enforcer": ["select"]}');
select tollgate.open_table('tollgate.period_schedules',
  '{"tollgate_token_api": ["select", "insert", "update", "delete"], "tollgate_usage_worker": ["select"],
    "tollgate_quota_enforcer": ["select"]}');
select tollgate.open_table('tollgate.plans',
  '{"tollgate_token_api": ["select"], "tollgate_usage_worker": ["select"], "tollgate_quota_enforcer": ["select"]}');
grant select on tollgate.markups to tollgate_usage_worker, service_role;

-- schemas/50-policies/services-audit.sql
-- What each service may touch of the audit trail: all may add, none may change; the token API shows it.
select tollgate.open_table('tollgate.audit_log', '{"tollgate_token_api": ["select", "insert"],
  "tollgate_usage_worker": ["select", "insert"], "tollgate_quota_enforcer": ["select", "insert"]}');

-- schemas/50-policies/services-books.sql
-- What each service may touch of the books. Sealing runs with its owner's rights: a service cannot write closing figures.
select tollgate.open_table('tollgate.installation', '{"tollgate_usage_worker": ["select"]}');
select tollgate.open_table('tollgate.preexisting_usage', '{"tollgate_usage_worker": ["select", "delete"]}');
select tollgate.open_table('tollgate.sealed_days', '{"tollgate_usage_worker": ["select"]}');
select tollgate.open_table('tollgate.sealed_sessions', '{"tollgate_usage_worker": ["select"]}');
select tollgate.open_table('tollgate.sealed_periods', '{"tollgate_usage_worker": ["select"]}');
select tollgate.open_table('tollgate.period_statements', '{"tollgate_usage_worker": ["select"]}');

-- schemas/50-policies/services-idempotency.sql
-- What each service may touch of the answers that are kept for repetitions.
select tollgate.open_table('tollgate.idempotent_requests', '{"tollgate_token_api": ["select", "insert", "update", "delete"]}');

-- schemas/50-policies/services-intake.sql
-- What each service may touch of the intake's own tables.
select tollgate.open_table('tollgate.redis_marks', '{"tollgate_usage_worker": ["select", "insert", "update"]}');

-- schemas/50-policies/services-keys.sql
-- What each service may touch of the servers' keys.
select tollgate.open_table('tollgate.service_keys', '{"tollgate_token_api": ["select", "insert", "update"]}');

-- schemas/50-policies/services-live.sql
-- Marks are set by broadcast_changes alone, with its owner's rights.
select tollgate.open_table('tollgate.live_marks', '{}');

-- schemas/50-policies/services-logins.sql
-- What each service may touch of the login sessions and their revocation.
select tollgate.open_table('tollgate.login_sessions', '{"tollgate_token_api": ["select", "insert", "update"],
  "tollgate_usage_worker": ["select", "insert", "update"]}');
select tollgate.open_table('tollgate.token_revocations', '{"tollgate_token_api": ["select", "insert", "update", "delete"]}');
select tollgate.open_table('tollgate.deaf_gates', '{"tollgate_token_api": ["select", "insert", "update", "delete"]}');
select tollgate.open_table('tollgate.session_event_outbox',
  '{"tollgate_token_api": ["select", "insert", "update", "delete"]}');

-- schemas/50-policies/services-proxy.sql
-- What each service may touch of the proxy's sessions.
select tollgate.open_table('tollgate.proxy_sessions',
  '{"tollgate_token_api": ["select", "insert", "update", "delete"]}');

-- schemas/50-policies/services-quota.sql
-- What each service may touch of the quota tables.
select tollgate.open_table('tollgate.period_totals', '{"tollgate_token_api": ["select"],
  "tollgate_usage_worker": ["select", "insert", "update"], "tollgate_quota_enforcer": ["select", "insert", "update"]}');
select tollgate.open_table('tollgate.quota_policies',
  '{"tollgate_token_api": ["select", "insert", "update"], "tollgate_quota_enforcer": ["select"]}');
select tollgate.open_table('tollgate.enforcement_control',
  '{"tollgate_token_api": ["select"], "tollgate_quota_enforcer": ["select", "update"]}');
select tollgate.open_table('tollgate.enforcement_states', '{"tollgate_token_api": ["select"],
  "tollgate_usage_worker": ["select"], "tollgate_quota_enforcer": ["select", "insert", "update"]}');
select tollgate.open_table('tollgate.enforcement_overrides',
  '{"tollgate_token_api": ["select", "insert", "update", "delete"], "tollgate_quota_enforcer": ["select"]}');
select tollgate.open_table('tollgate.quota_decisions', '{"tollgate_token_api": ["select", "insert"],
  "tollgate_usage_worker": ["select"], "tollgate_quota_enforcer": ["select", "insert"]}');
select tollgate.open_table('tollgate.grants',
  '{"tollgate_token_api": ["select", "insert", "update (settled_until, closed_at, voided_at, voided_by, void_reason)"],
    "tollgate_quota_enforcer": ["select", "update"]}');
select tollgate.open_table('tollgate.grant_spending',
  '{"tollgate_token_api": ["select", "insert"], "tollgate_quota_enforcer": ["select", "insert"]}');
-- Whoever records usage counts what has changed, the enforcer keeps the outlook; neither sets a limit or ladder.
select tollgate.open_table('tollgate.user_quotas', '{"tollgate_token_api": ["select",
    "insert (organization_id, user_id, is_own, is_settled, max_tokens, policy, version, updated_by)",
    "update (is_own, max_tokens, policy, version, updated_by, updated_at, changes)"],
  "tollgate_usage_worker": ["select", "insert (organization_id, user_id, is_own, is_settled, version, updated_by)", "update (changes)"],
  "tollgate_quota_enforcer": ["select", "insert (organization_id, user_id, is_own, version, updated_by, from_date, to_date, '
    'evaluate_at, evaluate_below, evaluate_at_usd, evaluate_below_usd, seen_changes)",
    "update (from_date, to_date, evaluate_at, evaluate_below, evaluate_at_usd, evaluate_below_usd, seen_changes, changes, '
    'is_settled, waits_for)"]}');
select tollgate.open_table('tollgate.user_quota_defaults', '{"tollgate_token_api": ["select", "insert", "update"],
  "tollgate_usage_worker": ["select"], "tollgate_quota_enforcer": ["select", "update (is_enrolled, enrolled_upto, waits_for)"]}');
select tollgate.open_table('tollgate.user_enforcement_overrides',
  '{"tollgate_token_api": ["select", "insert", "update", "delete"], "tollgate_quota_enforcer": ["select"]}');
select tollgate.open_table('tollgate.user_enforcement_states',
  '{"tollgate_token_api": ["select"], "tollgate_quota_enforcer": ["select", "insert", "update"]}');

grant select on sequence tollgate.enforcement_revision to tollgate_token_api;
grant select, usage, update on sequence tollgate.enforcement_revision to tollgate_quota_enforcer, service_role;
grant select on tollgate.revocations to tollgate_usage_worker, service_role;

-- schemas/50-policies/services-reports.sql
-- What each service may touch of the rollups that reports read.
select tollgate.open_table('tollgate.usage_by_organization_model', '{"tollgate_token_api": ["select"],
  "tollgate_usage_worker": ["select", "insert", "update"]}');
select tollgate.open_table('tollgate.usage_by_month', '{"tollgate_token_api": ["select"],
  "tollgate_usage_worker": ["select", "insert", "update", "delete"]}');

-- schemas/50-policies/services-reservations.sql
-- What each service may touch of the holds.
select tollgate.open_table('tollgate.reservations', '{"tollgate_token_api": ["select", "insert", "update"],
  "tollgate_usage_worker": ["select", "update"], "tollgate_quota_enforcer": ["select", "update", "delete"]}');
select tollgate.open_table('tollgate.reserved_totals', '{"tollgate_token_api": ["select", "insert", "update"],
  "tollgate_usage_worker": ["select", "update"], "tollgate_quota_enforcer": ["select", "update"]}');

-- schemas/50-policies/services-statements.sql
-- What statements are read from is written by sealing alone, with its owner's rights.
select tollgate.open_table('tollgate.sealed_postings', '{"tollgate_usage_worker": ["select"]}');

-- schemas/50-policies/services-usage.sql
-- What each service may touch of the usage tables and the price book.
select tollgate.open_table('tollgate.model_prices', '{"tollgate_usage_worker": ["select"]}');
select tollgate.open_table('tollgate.model_aliases', '{"tollgate_usage_worker": ["select"]}');
select tollgate.open_table('tollgate.usage_event_identities',
  '{"tollgate_usage_worker": ["select", "insert", "update", "delete"]}');
select tollgate.open_table('tollgate.usage_events', '{"tollgate_token_api": ["select"],
  "tollgate_usage_worker": ["select", "insert"], "tollgate_quota_enforcer": ["select"]}');
select tollgate.open_table('tollgate.pending_corrections',
  '{"tollgate_usage_worker": ["select", "insert", "update", "delete"]}');
select tollgate.open_table('public.usage_metrics', '{"tollgate_token_api": ["select"],
  "tollgate_usage_worker": ["select", "insert", "update"], "tollgate_quota_enforcer": ["select"]}');
select tollgate.open_table('tollgate.usage_by_model', '{"tollgate_token_api": ["select"], "tollgate_usage_worker": ["select", "insert", "update"]}');
select tollgate.open_table('public.chat_sessions', '{"tollgate_token_api": ["select"], "tollgate_usage_worker": ["select", "insert", "update"]}');
select tollgate.open_table('tollgate.event_inbox',
  '{"tollgate_token_api": ["select", "insert"], "tollgate_usage_worker": ["select", "insert", "update", "delete"]}');
select tollgate.open_table('tollgate.dead_letters', '{"tollgate_usage_worker": ["select", "insert"], "tollgate_token_api": ["insert"]}');

-- schemas/50-policies/services-webhooks.sql
-- What each service may touch of webhooks.
select tollgate.open_table('tollgate.webhook_endpoints',
  '{"tollgate_token_api": ["select", "insert", "update"], "tollgate_quota_enforcer": ["select", "update"]}');
select tollgate.open_table('tollgate.webhook_deliveries', '{"tollgate_token_api": ["select", "insert", "update"],
  "tollgate_quota_enforcer": ["select", "insert", "update", "delete"]}');

-- schemas/50-policies/tenants.sql
-- What a signed-in user may read: own rows; an admin the organization's; super_admin all. Nobody of them writes.
alter table public.usage_metrics enable row level security;
alter table public.usage_metrics force row level security;
alter table public.chat_sessions enable row level security;
alter table public.chat_sessions force row level security;

revoke all on public.usage_metrics, public.chat_sessions from public, anon, authenticated;
grant select on public.usage_metrics, public.chat_sessions to authenticated;

create policy usage_metrics_read on public.usage_metrics for select to authenticated using (
  (organization_id = (select tollgate.my_organization_id())
    and (user_id = (select auth.uid()) or (select tollgate.my_role()) = 'admin'))
  or (select tollgate.my_role()) = 'super_admin');

create policy chat_sessions_read on public.chat_sessions for select to authenticated using (
  (organization_id = (select tollgate.my_organization_id())
    and (user_id = (select auth.uid()) or (select tollgate.my_role()) = 'admin'))
  or (select tollgate.my_role()) = 'super_admin');

-- Rollups and ledger behind the report functions; PostgREST does not expose their schema.
grant select on tollgate.usage_by_model, tollgate.usage_by_organization_model, tollgate.usage_by_month, tollgate.usage_events
  to authenticated;

create policy usage_by_model_read on tollgate.usage_by_model for select to authenticated using (
  (organization_id = (select tollgate.my_organization_id())
    and (user_id = (select auth.uid()) or (select tollgate.my_role()) = 'admin'))
  or (select tollgate.my_role()) = 'super_admin');

create policy usage_events_read on tollgate.usage_events for select to authenticated using (
  (organization_id = (select tollgate.my_organization_id())
    and (user_id = (select auth.uid()) or (select tollgate.my_role()) = 'admin'))
  or (select tollgate.my_role()) = 'super_admin');

-- It knows no users: whole organizations only.
create policy usage_by_organization_model_read on tollgate.usage_by_organization_model for select to authenticated using (
  (organization_id = (select tollgate.my_organization_id()) and (select tollgate.my_role()) = 'admin')
  or (select tollgate.my_role()) = 'super_admin');

-- A row of a model is a whole organization's.
create policy usage_by_month_read on tollgate.usage_by_month for select to authenticated using (
  (organization_id = (select tollgate.my_organization_id())
    and (user_id = (select auth.uid()) or (select tollgate.my_role()) = 'admin'))
  or (select tollgate.my_role()) = 'super_admin');

-- schemas/60-close/close.sql
-- Last of all. PostgreSQL lets everybody execute a new function; here a grant has to say so.
drop function tollgate.open_table, tollgate.adopt_column, tollgate.adopt_table, tollgate.drop_keys, tollgate.key_columns,
  tollgate.demand_key, tollgate.demand_lossless, tollgate.demand_unread, tollgate.demand_mergeable, tollgate.adopt_key,
  tollgate.adopted_count, tollgate.adopted_instant;
revoke execute on all functions in schema tollgate from public;

grant select on tollgate.directory_organizations, tollgate.directory_members
  to tollgate_token_api, tollgate_usage_worker, tollgate_quota_enforcer, service_role;

select public.ensure_usage_partitions();
