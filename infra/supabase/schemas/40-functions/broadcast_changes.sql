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
