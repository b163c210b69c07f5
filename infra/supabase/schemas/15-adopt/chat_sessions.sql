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
