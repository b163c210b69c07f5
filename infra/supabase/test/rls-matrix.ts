/** Who asks, beside the secret key: nobody, and a user, an admin, another organization's admin, and super_admin. */
export const ASKERS = ['anon', 'user', 'admin', 'stranger', 'superAdmin'] as const
export type Asker = (typeof ASKERS)[number]

/**
 * Which rows a select shows: refused (an error), nothing, those of oneself, of the own organization, or all.
 * The secret key (service_role) reads and writes everything in `public`.
 */
type Reach = 'refused' | 'none' | 'own' | 'organization' | 'all'
/** What a table of `public` shows to whom, and which verbs somebody but the secret key has, with the change to try. */
interface TableRights {
  readonly read: Readonly<Record<Asker, Reach>>
  /** Columns whose change in the own row is allowed; every other write is refused. */
  readonly ownColumns?: readonly string[]
}

const tenants = {
  anon: 'refused',
  user: 'own',
  admin: 'organization',
  stranger: 'organization',
  superAdmin: 'all',
} as const
const wholeOrganizations = { ...tenants, user: 'none' } as const
const nobody = {
  anon: 'refused',
  user: 'refused',
  admin: 'refused',
  stranger: 'refused',
  superAdmin: 'refused',
} as const
const people = { anon: 'refused', user: 'own', admin: 'own', stranger: 'own', superAdmin: 'own' } as const
const home = {
  ...people,
  user: 'organization',
  admin: 'organization',
  stranger: 'organization',
  superAdmin: 'organization',
} as const

const OUTLOOK = [
  'from_date',
  'to_date',
  'evaluate_at',
  'evaluate_below',
  'evaluate_at_usd',
  'evaluate_below_usd',
  'seen_changes',
]

/** Tables and views of `public`, which supabase-js reaches. A new one without a row here fails the test. */
export const PUBLIC_TABLES: Readonly<Record<string, TableRights>> = {
  chat_sessions: { read: tenants },
  organizations: { read: home },
  profiles: { read: people, ownColumns: ['full_name', 'username', 'avatar_url'] },
  usage_daily_by_model: { read: tenants },
  usage_daily_by_user: { read: tenants },
  usage_metrics: { read: tenants },
}

/**
 * Tables and views of `tollgate`, which supabase-js does not reach at all, read in Postgres with a user's own role: what a
 * project that exposes the schema by mistake would show.
 */
export const TOLLGATE_TABLES: Readonly<Record<string, Readonly<Record<Asker, Reach>>>> = {
  audit_log: nobody,
  day_entries: nobody,
  dead_letters: nobody,
  deaf_gates: nobody,
  directory_members: nobody,
  directory_organizations: nobody,
  enforcement_control: nobody,
  enforcement_overrides: nobody,
  enforcement_states: nobody,
  event_inbox: nobody,
  grant_spending: nobody,
  grants: nobody,
  idempotent_requests: nobody,
  installation: nobody,
  live_marks: nobody,
  login_sessions: nobody,
  markups: nobody,
  model_aliases: nobody,
  model_prices: nobody,
  organization_settings: nobody,
  pending_corrections: nobody,
  period_schedules: nobody,
  period_statements: nobody,
  period_totals: nobody,
  plans: nobody,
  preexisting_usage: nobody,
  proxy_sessions: nobody,
  quota_decisions: nobody,
  quota_inputs: nobody,
  quota_policies: nobody,
  redis_marks: nobody,
  reservations: nobody,
  reserved_totals: nobody,
  revocations: nobody,
  sealed_days: nobody,
  sealed_periods: nobody,
  sealed_postings: nobody,
  sealed_sessions: nobody,
  service_key_view: nobody,
  service_keys: nobody,
  session_event_outbox: nobody,
  token_revocations: nobody,
  usage_by_model: tenants,
  usage_by_month: tenants,
  usage_by_organization_model: wholeOrganizations,
  usage_event_identities: nobody,
  usage_events: tenants,
  user_enforcement_overrides: nobody,
  user_enforcement_states: nobody,
  user_quota_defaults: nobody,
  user_quotas: nobody,
  webhook_deliveries: nobody,
  webhook_delivery_view: nobody,
  webhook_endpoints: nobody,
  webhook_view: nobody,
}

/**
 * Columns that services may write of tables in which several have their own: everything else of the row is somebody else's.
 * `*`: the whole row. Verbs that are not named here are refused.
 */
export const SERVICE_WRITES: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'user_quotas tollgate_token_api': {
    INSERT: ['organization_id', 'user_id', 'is_own', 'is_settled', 'max_tokens', 'policy', 'version', 'updated_by'],
    UPDATE: ['is_own', 'max_tokens', 'policy', 'version', 'updated_by', 'updated_at', 'changes'],
  },
  'user_quotas tollgate_usage_worker': {
    INSERT: ['organization_id', 'user_id', 'is_own', 'is_settled', 'version', 'updated_by'],
    UPDATE: ['changes'],
  },
  'user_quotas tollgate_quota_enforcer': {
    INSERT: ['organization_id', 'user_id', 'is_own', 'version', 'updated_by', ...OUTLOOK],
    UPDATE: [...OUTLOOK, 'changes', 'is_settled', 'waits_for'],
  },
  'user_quota_defaults tollgate_token_api': { INSERT: ['*'], UPDATE: ['*'] },
  'user_quota_defaults tollgate_usage_worker': {},
  'user_quota_defaults tollgate_quota_enforcer': { UPDATE: ['is_enrolled', 'enrolled_upto', 'waits_for'] },
}

/** What a report tells of organization A, which is `stranger`'s and `superAdmin`'s own in no case. */
type Told = 'refused' | 'nothing' | 'something'

const toMembers = {
  anon: 'refused',
  user: 'something',
  admin: 'something',
  stranger: 'nothing',
  superAdmin: 'something',
} as const
const toAdmins = { ...toMembers, user: 'nothing' } as const

/** Functions of `public` that a signed-in user may call. */
export const REPORTS: Readonly<Record<string, Readonly<Record<Asker, Told>>>> = {
  report_decisions: toAdmins,
  report_grants: toAdmins,
  report_me: { ...toMembers, stranger: 'something' },
  report_organizations: { ...toAdmins, admin: 'nothing' },
  report_periods: toAdmins,
  report_quota: toMembers,
  report_sessions: toMembers,
  report_statement: toAdmins,
  report_summary: toMembers,
  report_usage: toMembers,
  report_usage_whole: toMembers,
  report_user_limits: toMembers,
  report_webhook_deliveries: toAdmins,
}

/** Functions of `public` for the services alone: refused to everybody but the secret key. */
export const SERVICE_FUNCTIONS: readonly string[] = [
  'apply_enforcement',
  'apply_user_enforcement',
  'audit_reserved',
  'begin_epoch',
  'begin_idempotent',
  'broadcast_changes',
  'bury_session_events',
  'claim_webhooks',
  'close_period',
  'close_sessions',
  'commit_reservations',
  'complete_statements',
  'continue_login',
  'count_open_sessions',
  'count_slices',
  'create_grant',
  'create_service_key',
  'create_webhook',
  'drain_inbox',
  'drop_dead_letters',
  'enroll_users',
  'ensure_usage_partitions',
  'erase_user',
  'expire_reservations',
  'export_ledger',
  'export_rollups',
  'find_enforcement',
  'find_login',
  'find_members',
  'find_proxy_session',
  'find_service_key',
  'find_sign_in',
  'find_user_enforcement',
  'finish_idempotent',
  'finish_webhook',
  'forget_session_events',
  'import_usage',
  'inbox_backlog',
  'ingest_usage',
  'list_audit',
  'list_chat_sessions',
  'list_dead_letters',
  'list_decisions',
  'list_due_evaluations',
  'list_enforcement',
  'list_grants',
  'list_logins',
  'list_old_seals',
  'list_markups',
  'list_plans',
  'list_positions',
  'list_prices',
  'list_rerate_days',
  'list_revocations',
  'list_service_keys',
  'list_statements',
  'list_usage',
  'list_usage_days',
  'list_webhook_deliveries',
  'list_webhooks',
  'load_enforcement_control',
  'load_past',
  'load_quota_position',
  'load_user_default',
  'load_user_positions',
  'load_user_quota',
  'next_due_evaluation',
  'note_redis_mark',
  'open_proxy_session',
  'order_enforcement',
  'order_user_enforcement',
  'park_events',
  'prune_identities',
  'prune_reservations',
  'prune_webhooks',
  'read_redis_mark',
  'reconcile_books',
  'record_dead_letters',
  'register_deaf_gate',
  'release_reservations',
  'remove_webhook',
  'replay_dead_letters',
  'replay_webhook',
  'rerate_usage',
  'reseal_webhook',
  'reserve_tokens',
  'revoke_logins',
  'revoke_service_key',
  'rotate_service_key',
  'rotate_webhook',
  'seal_usage_partition',
  'set_enforcement_control',
  'set_markup',
  'set_plan',
  'set_price',
  'set_quota',
  'set_user_default',
  'set_user_quota',
  'settle_grants',
  'start_logins',
  'sweep_logins',
  'take_session_events',
  'tollgate_ping',
  'touch_service_keys',
  'void_grant',
  'webhook_backlog',
]
