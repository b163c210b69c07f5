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
