import { keyRequest, newKeyReport, ProblemError } from '@tollgate/shared/contracts'
import { makeKey } from '@tollgate/shared/store'
import { type CallerAccess, identifyCaller } from '../access/identify-caller.ts'
import type { Store } from '../bind-store.ts'
import { authorizeNewKey } from '../keys/authorize-keys.ts'
import type { ActOf } from '../manners/act.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the route needs. */
export interface PostKeys {
  readonly access: CallerAccess
  readonly store: Pick<Store, 'createKey'>
  readonly actOf: ActOf
}

/** `POST /v1/keys`: a new key for a server; its text is in this answer and nowhere else. */
export function postKeys(app: App, { access, store, actOf }: PostKeys): void {
  const schema = {
    summary: 'Make a key for a server',
    description: 'The answer holds the text of the key. It is not kept and cannot be shown again.',
    security: bearer,
    body: keyRequest,
    response: { 201: newKeyReport, ...problems(400, 401, 403, 404, 413, 415, 503) },
  }
  app.post('/v1/keys', { schema }, async (request, reply) => {
    const caller = await identifyCaller(request.headers.authorization, access)
    const { name, scopes, organization_id, expires_at } = request.body
    authorizeNewKey(caller, request.body)
    const act = actOf(request)
    const { text, prefix, sha256 } = makeKey(act.randomBytes)
    const key = await store.createKey({
      id: act.id,
      key_prefix: prefix,
      key_sha256: sha256,
      scopes: [...new Set(scopes)],
      actor: caller.actor,
      ...{ name, organization_id, expires_at },
    })
    if (key === undefined) throw new ProblemError('not-found', 'There is no such organization.')
    return reply.code(201).send({ ...key, key: text })
  })
}
