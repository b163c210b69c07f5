import { keyRotation, newKeyReport, ProblemError, uuid } from '@tollgate/shared/contracts'
import { makeKey } from '@tollgate/shared/store'
import { z } from 'zod'
import { identifyCaller } from '../access/identify-caller.ts'
import type { Store } from '../bind-store.ts'
import { authorizeChange } from '../keys/authorize-keys.ts'
import type { PostKeys } from './post-keys.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the route needs. */
export interface PostKeyRotation extends Omit<PostKeys, 'store'> {
  readonly store: Pick<Store, 'listKeys' | 'rotateKey'>
  /** Resolves when no instance believes the old key for longer than it is good now. */
  readonly announce: (keyId: string) => Promise<void>
}

/** `POST /v1/keys/{id}/rotate`: a new text for a key; for the overlap the old one is good too. */
export function postKeyRotation(app: App, { access, store, actOf, announce }: PostKeyRotation): void {
  const schema = {
    summary: 'Replace a key by a new one of the same rights, with an overlap',
    description: 'The answer holds the text of the new key. It is not kept and cannot be shown again.',
    security: bearer,
    params: z.object({ id: uuid }),
    // A client without wishes sends no body.
    body: keyRotation.nullish(),
    response: { 201: newKeyReport, ...problems(400, 401, 403, 404, 409, 413, 415, 503) },
  }
  app.post('/v1/keys/:id/rotate', { schema }, async (request, reply) => {
    const caller = await identifyCaller(request.headers.authorization, access)
    const [found] = await store.listKeys({ id: request.params.id })
    const old = authorizeChange(caller, found, 'rotate')
    const act = actOf(request)
    const { text, prefix, sha256 } = makeKey(act.randomBytes)
    const key = await store.rotateKey({
      id: old.id,
      new_id: act.id,
      key_prefix: prefix,
      key_sha256: sha256,
      ...(request.body ?? keyRotation.parse({})),
      actor: caller.actor,
    })
    if (key === undefined) throw new ProblemError('conflict', 'The key is revoked, expired or replaced already.')
    await announce(old.id)
    return reply.code(201).send({ ...key, key: text })
  })
}
