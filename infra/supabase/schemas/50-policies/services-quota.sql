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
