import { ProblemError, type QuotaReport, quotaReport, userQuotaChange, uuid } from '@tollgate/shared/contracts'
import type { RpcArgs, RpcRow } from '@tollgate/shared/store'
import { z } from 'zod'
import type { Store } from '../bind-store.ts'
import { authorizeRead, authorizeWrite, type QuotaAccess } from '../quota/authorize-quota.ts'
import { toUtc } from '../quota/to-utc.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the routes need. */
export interface UserQuota {
  readonly access: QuotaAccess
  readonly store: Pick<Store, 'loadUserQuota' | 'setUserQuota'>
  /** Wakes the enforcer; never rejects, since its sweep finds the change all the same. */
  readonly wakeEnforcer: (organizationId: string) => Promise<void>
}

const PATH = '/v1/organizations/:id/users/:user/quota'
const params = z.object({ id: uuid, user: uuid })
const UNKNOWN = 'The organization has no such user.'

/** `GET`, `PUT` and `DELETE /v1/organizations/:id/users/:user/quota`: the limit of one user beside the organization's. */
export function userQuota(app: App, { access, store, wakeEnforcer }: UserQuota): void {
  const read = async (id: string, user: string): Promise<QuotaReport> => {
    const row = await store.loadUserQuota(id, user)
    if (row === undefined) throw new ProblemError('not-found', UNKNOWN)
    return report(row)
  }
  const change = async (
    authorization: string | undefined,
    { id, user }: z.infer<typeof params>,
    what: Omit<RpcArgs<'set_user_quota'>['change'], 'organization_id' | 'user_id' | 'actor'>,
  ): Promise<QuotaReport> => {
    const { actor } = await authorizeWrite(authorization, id, access)
    const set = await store.setUserQuota({ organization_id: id, user_id: user, ...what, actor })
    if (set === undefined) throw new ProblemError('not-found', UNKNOWN)
    await wakeEnforcer(id)
    return read(id, user)
  }
  const get = {
    summary: "Limit, usage and state of one user; null: no limit beside the organization's",
    security: bearer,
    params,
    response: { 200: quotaReport, ...problems(400, 401, 403, 404, 503) },
  }
  app.get(PATH, { schema: get }, async (request) => {
    const { id, user } = request.params
    const right = await authorizeRead(request.headers.authorization, id, access)
    // Members read their own figures; admins, super_admins and keys those of all.
    if (right.may === 'read' && right.userId !== undefined && right.userId !== user) {
      throw new ProblemError('forbidden', 'A user sees the own limit alone.')
    }
    return read(id, user)
  })
  const put = {
    summary: "Set the limit of one user; the organization's own holds beside it",
    security: bearer,
    params,
    body: userQuotaChange,
    response: { 200: quotaReport, ...problems(400, 401, 403, 404, 413, 415, 503) },
  }
  app.put(PATH, { schema: put }, async (request) => {
    return change(request.headers.authorization, request.params, request.body)
  })
  const remove = {
    summary: "Drop the own limit of one user; the organization's default for its users holds again",
    security: bearer,
    params,
    response: { 200: quotaReport, ...problems(400, 401, 403, 404, 503) },
  }
  app.delete(PATH, { schema: remove }, async (request) => {
    return change(request.headers.authorization, request.params, { limit: null, follow_default: true })
  })
}

function report(row: RpcRow<'load_user_quota'>): QuotaReport {
  const [used, reserved] = [Number(row.used_tokens), Number(row.reserved_tokens)]
  const limit = row.limit_tokens === null ? null : Number(row.limit_tokens)
  return {
    period: {
      start: toUtc(row.period_start),
      end: toUtc(row.period_end),
      time_zone: row.time_zone,
    },
    limit,
    used,
    reserved,
    remaining: limit === null ? null : Math.max(0, limit - used - reserved),
    state: row.state,
    version: Number(row.version),
    reason: row.reason,
    decision_id: row.decision_id,
    as_of: toUtc(row.as_of),
    cost_usd: row.cost_usd,
    limit_from: row.limit_from,
  }
}
