-- What each service may touch: the tables that its functions need (they run with the caller's rights), and no other.
-- A right without a policy gives nothing: each table has row level security, forced.
do $$
declare
  rule record;
  tables text[] := array[
    'public.usage_metrics', 'public.chat_sessions', 'tollgate.organization_settings', 'tollgate.plans',
    'tollgate.service_keys', 'tollgate.login_sessions', 'tollgate.usage_event_identities', 'tollgate.usage_events',
    'tollgate.usage_by_model', 'tollgate.period_totals', 'tollgate.event_inbox', 'tollgate.dead_letters',
    'tollgate.model_prices', 'tollgate.model_aliases', 'tollgate.quota_policies', 'tollgate.enforcement_states',
    'tollgate.quota_decisions'];
  name text;
begin
  foreach name in array tables loop
    execute format('alter table %s enable row level security', name);
    execute format('alter table %s force row level security', name);
    execute format('grant select, insert, update, delete on %s to service_role', name);
    execute format('create policy service_role_all on %s for all to service_role using (true) with check (true)', name);
  end loop;

  for rule in
    select * from (values
      ('tollgate_token_api', 'select', 'tollgate.organization_settings'),
      ('tollgate_token_api', 'select', 'tollgate.plans'),
      ('tollgate_token_api', 'select', 'tollgate.service_keys'),
      ('tollgate_token_api', 'select', 'tollgate.enforcement_states'),
      ('tollgate_token_api', 'select', 'tollgate.period_totals'),
      ('tollgate_token_api', 'select', 'tollgate.quota_policies'),
      ('tollgate_token_api', 'insert', 'tollgate.quota_policies'),
      ('tollgate_token_api', 'update', 'tollgate.quota_policies'),
      ('tollgate_token_api', 'insert', 'tollgate.event_inbox'),
      ('tollgate_token_api', 'select', 'tollgate.event_inbox'),
      ('tollgate_usage_worker', 'select', 'tollgate.organization_settings'),
      ('tollgate_usage_worker', 'select', 'tollgate.model_prices'),
      ('tollgate_usage_worker', 'select', 'tollgate.model_aliases'),
      ('tollgate_usage_worker', 'select', 'tollgate.usage_event_identities'),
      ('tollgate_usage_worker', 'insert', 'tollgate.usage_event_identities'),
      ('tollgate_usage_worker', 'insert', 'tollgate.usage_events'),
      ('tollgate_usage_worker', 'select', 'public.usage_metrics'),
      ('tollgate_usage_worker', 'insert', 'public.usage_metrics'),
      ('tollgate_usage_worker', 'update', 'public.usage_metrics'),
      ('tollgate_usage_worker', 'select', 'tollgate.usage_by_model'),
      ('tollgate_usage_worker', 'insert', 'tollgate.usage_by_model'),
      ('tollgate_usage_worker', 'update', 'tollgate.usage_by_model'),
      ('tollgate_usage_worker', 'select', 'public.chat_sessions'),
      ('tollgate_usage_worker', 'insert', 'public.chat_sessions'),
      ('tollgate_usage_worker', 'update', 'public.chat_sessions'),
      ('tollgate_usage_worker', 'select', 'tollgate.login_sessions'),
      ('tollgate_usage_worker', 'insert', 'tollgate.login_sessions'),
      ('tollgate_usage_worker', 'update', 'tollgate.login_sessions'),
      ('tollgate_usage_worker', 'select', 'tollgate.period_totals'),
      ('tollgate_usage_worker', 'insert', 'tollgate.period_totals'),
      ('tollgate_usage_worker', 'update', 'tollgate.period_totals'),
      ('tollgate_usage_worker', 'select', 'tollgate.event_inbox'),
      ('tollgate_usage_worker', 'update', 'tollgate.event_inbox'),
      ('tollgate_usage_worker', 'delete', 'tollgate.event_inbox'),
      ('tollgate_usage_worker', 'select', 'tollgate.dead_letters'),
      ('tollgate_usage_worker', 'insert', 'tollgate.dead_letters'),
      ('tollgate_quota_enforcer', 'select', 'tollgate.organization_settings'),
      ('tollgate_quota_enforcer', 'select', 'tollgate.plans'),
      ('tollgate_quota_enforcer', 'select', 'tollgate.quota_policies'),
      ('tollgate_quota_enforcer', 'select', 'tollgate.period_totals'),
      ('tollgate_quota_enforcer', 'insert', 'tollgate.period_totals'),
      ('tollgate_quota_enforcer', 'update', 'tollgate.period_totals'),
      ('tollgate_quota_enforcer', 'select', 'tollgate.enforcement_states'),
      ('tollgate_quota_enforcer', 'insert', 'tollgate.enforcement_states'),
      ('tollgate_quota_enforcer', 'update', 'tollgate.enforcement_states'),
      ('tollgate_quota_enforcer', 'select', 'tollgate.quota_decisions'),
      ('tollgate_quota_enforcer', 'insert', 'tollgate.quota_decisions')
    ) as r (service, verb, tbl)
  loop
    execute format('grant %s on %s to %I', rule.verb, rule.tbl, rule.service);
    execute format('create policy %I on %s for %s to %I %s',
      rule.service || '_' || rule.verb, rule.tbl, rule.verb, rule.service,
      case rule.verb
        when 'insert' then 'with check (true)'
        when 'update' then 'using (true) with check (true)'
        else 'using (true)'
      end);
  end loop;
end
$$;

-- PostgreSQL lets everybody execute a new function; here a grant has to say so.
revoke execute on all functions in schema tollgate from public;

grant usage on sequence tollgate.enforcement_revision to tollgate_quota_enforcer, service_role;
grant select on tollgate.directory_organizations, tollgate.directory_members
  to tollgate_token_api, tollgate_usage_worker, tollgate_quota_enforcer, service_role;

select public.ensure_usage_partitions();
