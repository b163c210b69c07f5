import { ProblemError, userDefault, userDefaultChange, uuid } from '@tollgate/shared/contracts'
import { readPolicy } from '@tollgate/shared/quota'
import type { RpcRow } from '@tollgate/shared/store'
import { z } from 'zod'
import type { Store } from '../bind-store.ts'
import { authorizeRead, authorizeWrite, type QuotaAccess } from '../quota/authorize-quota.ts'
import { toUtc } from '../quota/to-utc.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the routes need. */
export interface UserDefault {
  readonly access: QuotaAccess
  readonly store: Pick<Store, 'loadUserDefault' | 'setUserDefault'>
  /** Wakes the enforcer; never rejects, since its sweep finds the change all the same. */
  readonly wakeEnforcer: (organizationId: string) => Promise<void>
}

const PATH = '/v1/organizations/:id/users/default/quota'
const UNKNOWN = 'There is no such organization.'

/** `GET` and `PUT /v1/organizations/:id/users/default/quota`: the limit of each user who has no own one. */
export function userDefaultQuota(app: App, { access, store, wakeEnforcer }: UserDefault): void {
  const params = z.object({ id: uuid })
  const get = {
    summary: 'The limit of each user of an organization who has no own one; null: none',
    security: bearer,
    params,
    response: { 200: userDefault, ...problems(400, 401, 403, 404, 503) },
  }
  app.get(PATH, { schema: get }, async (request) => {
    const { id } = request.params
    await authorizeRead(request.headers.authorization, id, access)
    return report(await store.loadUserDefault(id))
  })
  const put = {
    summary: "Set the limit of each user who has no own one; the organization's own holds beside it",
    security: bearer,
    params,
    body: userDefaultChange,
    response: { 200: userDefault, ...problems(400, 401, 403, 404, 409, 413, 415, 503) },
  }
  app.put(PATH, { schema: put }, async (request) => {
    const { id } = request.params
    const { actor } = await authorizeWrite(request.headers.authorization, id, access)
    const row = await store.setUserDefault({ organization_id: id, ...request.body, actor })
    if (row?.refusal === 'version') {
      throw new ProblemError('conflict', 'The default for users was changed meanwhile: look at it again.', {
        extensions: { reason: 'version', version: Number(row.version) },
      })
    }
    await wakeEnforcer(id)
    return report(row)
  })
}

function report(row: RpcRow<'load_user_default'> | undefined): z.infer<typeof userDefault> {
  if (row === undefined) throw new ProblemError('not-found', UNKNOWN)
  return {
    limit: row.limit_tokens === null ? null : Number(row.limit_tokens),
    policy: row.policy === null ? null : readPolicy(row.policy, () => undefined),
    version: Number(row.version),
    updated_by: row.updated_by,
    updated_at: row.updated_at === null ? null : toUtc(row.updated_at),
  }
}
