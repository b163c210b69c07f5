import type { UsageBatch } from '@tollgate/shared/contracts'
import { type Rpc, type RpcArgs, StoreError } from '@tollgate/shared/store'

/** The SQL functions of the token API, each as the question that it answers. All throw StoreError. */
export type Store = ReturnType<typeof bindStore>

/** Binds the questions to a transport. */
export function bindStore(rpc: Rpc) {
  const loadPosition = async (organizationId: string) =>
    (await rpc('load_quota_position', { for_organization: organizationId }))[0]
  const findMembers = (ids: string[]) => rpc('find_members', { users: { ids } })
  return {
    ...bindLogins(rpc),
    ...bindWebhooks(rpc),
    findKey: async (sha256: string) => (await rpc('find_service_key', { key_sha256: sha256 }))[0],
    createKey: async (change: RpcArgs<'create_service_key'>['change']) =>
      (await rpc('create_service_key', { change }))[0],
    listKeys: (query: RpcArgs<'list_service_keys'>['query']) => rpc('list_service_keys', { query }),
    rotateKey: async (change: RpcArgs<'rotate_service_key'>['change']) =>
      (await rpc('rotate_service_key', { change }))[0],
    revokeKey: async (change: RpcArgs<'revoke_service_key'>['change']) =>
      (await rpc('revoke_service_key', { change }))[0],
    touchKeys: (keys: RpcArgs<'touch_service_keys'>['used']['keys']) => rpc('touch_service_keys', { used: { keys } }),
    listUsage: (query: RpcArgs<'list_usage'>['query']) => rpc('list_usage', { query }),
    listChatSessions: (query: RpcArgs<'list_chat_sessions'>['query']) => rpc('list_chat_sessions', { query }),
    countOpenSessions: async (query: RpcArgs<'count_open_sessions'>['query']) =>
      (await rpc('count_open_sessions', { query }))[0]?.open ?? 0,
    listAudit: (query: RpcArgs<'list_audit'>['query']) => rpc('list_audit', { query }),
    beginIdempotent: async (request: RpcArgs<'begin_idempotent'>['request']) => {
      const [row] = await rpc('begin_idempotent', { request })
      if (row === undefined) throw new RangeError('begin_idempotent says what became of each request')
      return row
    },
    finishIdempotent: (result: RpcArgs<'finish_idempotent'>['result']) => rpc('finish_idempotent', { result }),
    findProxySession: async (sha256: string) => (await rpc('find_proxy_session', { session_sha256: sha256 }))[0],
    openProxySession: async (opening: Parameters<typeof rpc<'open_proxy_session'>>[1]['opening']) =>
      (await rpc('open_proxy_session', { opening }))[0],
    findMembers,
    findMember: async (userId: string) => (await findMembers([userId]))[0],
    loadPosition,
    organizationExists: async (organizationId: string) => (await loadPosition(organizationId)) !== undefined,
    setQuota: async (change: Parameters<typeof rpc<'set_quota'>>[1]['change']) =>
      (await rpc('set_quota', { change }))[0],
    reserve: (batch: RpcArgs<'reserve_tokens'>['batch']) => rpc('reserve_tokens', { batch }),
    commitHolds: (commits: RpcArgs<'commit_reservations'>['batch']['commits']) =>
      rpc('commit_reservations', { batch: { commits } }),
    releaseHolds: (releases: RpcArgs<'release_reservations'>['batch']['releases']) =>
      rpc('release_reservations', { batch: { releases } }),
    createGrant: async (order: RpcArgs<'create_grant'>['grant_order']) =>
      (await rpc('create_grant', { grant_order: order }))[0],
    voidGrant: async (order: RpcArgs<'void_grant'>['grant_void']) =>
      (await rpc('void_grant', { grant_void: order }))[0],
    listGrants: (organizationId: string) => rpc('list_grants', { for_organization: organizationId }),
    orderEnforcement: async (order: RpcArgs<'order_enforcement'>['enforcement_order']) =>
      (await rpc('order_enforcement', { enforcement_order: order }))[0],
    findEnforcement: async (organizationId: string) =>
      (await rpc('find_enforcement', { for_organization: organizationId }))[0],
    findUserEnforcement: async (organizationId: string, userId: string) =>
      (await rpc('find_user_enforcement', { for_organization: organizationId, for_user: userId }))[0],
    orderUserEnforcement: async (order: RpcArgs<'order_user_enforcement'>['enforcement_order']) =>
      (await rpc('order_user_enforcement', { enforcement_order: order }))[0],
    listDecisions: (query: RpcArgs<'list_decisions'>['query']) => rpc('list_decisions', { query }),
    setUserQuota: async (change: RpcArgs<'set_user_quota'>['change']) => (await rpc('set_user_quota', { change }))[0],
    loadUserQuota: async (organizationId: string, userId: string) =>
      (await rpc('load_user_quota', { for_organization: organizationId, for_user: userId }))[0],
    setUserDefault: async (change: RpcArgs<'set_user_default'>['change']) =>
      (await rpc('set_user_default', { change }))[0],
    loadUserDefault: async (organizationId: string) =>
      (await rpc('load_user_default', { for_organization: organizationId }))[0],
    park: async ({ json }: UsageBatch) => {
      await rpc('park_events', { batch: json })
    },
    ping: async () => {
      await rpc('tollgate_ping', {})
    },
  }
}

function bindLogins(rpc: Rpc) {
  return {
    startLogins: (logins: RpcArgs<'start_logins'>['batch']['logins']) => rpc('start_logins', { batch: { logins } }),
    continueLogin: async (attempt: RpcArgs<'continue_login'>['attempt']) =>
      one('continue_login', await rpc('continue_login', { attempt })),
    revokeLogins: async (request: RpcArgs<'revoke_logins'>['request']) =>
      one('revoke_logins', await rpc('revoke_logins', { request })),
    sweepLogins: async (limits: RpcArgs<'sweep_logins'>) => one('sweep_logins', await rpc('sweep_logins', limits)),
    isSignedOut: async (session: string, of_user: string) =>
      one('find_sign_in', await rpc('find_sign_in', { session, of_user })).signed_out,
    listLogins: (wanted: RpcArgs<'list_logins'>['wanted']) => rpc('list_logins', { wanted }),
    takeSessionEvents: (maxRows: number, leaseMs: number) =>
      rpc('take_session_events', { max_rows: maxRows, lease_ms: leaseMs }),
    forgetSessionEvents: async (ids: string[]) => {
      await rpc('forget_session_events', { batch: { ids } })
    },
    burySessionEvents: async (ids: string[], detail: string) => {
      await rpc('bury_session_events', { batch: { ids, detail } })
    },
  }
}

function bindWebhooks(rpc: Rpc) {
  return {
    createWebhook: async (change: RpcArgs<'create_webhook'>['change']) => (await rpc('create_webhook', { change }))[0],
    listWebhooks: (query: RpcArgs<'list_webhooks'>['query']) => rpc('list_webhooks', { query }),
    removeWebhook: async (change: RpcArgs<'remove_webhook'>['change']) => (await rpc('remove_webhook', { change }))[0],
    rotateWebhook: async (change: RpcArgs<'rotate_webhook'>['change']) => (await rpc('rotate_webhook', { change }))[0],
    listDeliveries: (query: RpcArgs<'list_webhook_deliveries'>['query']) => rpc('list_webhook_deliveries', { query }),
    replayDelivery: async (change: RpcArgs<'replay_webhook'>['change']) => (await rpc('replay_webhook', { change }))[0],
  }
}

// These functions always return one row; a transport that loses it is at fault.
function one<Row>(name: string, rows: Row[]): Row {
  const [row] = rows
  if (row === undefined) throw new StoreError(`${name}: no row came back`, { code: 'internal', retryable: false })
  return row
}
