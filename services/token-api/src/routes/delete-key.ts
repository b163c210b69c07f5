import { keyReport, uuid } from '@tollgate/shared/contracts'
import { z } from 'zod'
import { type CallerAccess, identifyCaller } from '../access/identify-caller.ts'
import type { Store } from '../bind-store.ts'
import { authorizeChange } from '../keys/authorize-keys.ts'
import { type App, bearer, problems } from './typed-app.ts'

/** What the route needs. */
export interface DeleteKey {
  readonly access: CallerAccess
  readonly store: Pick<Store, 'listKeys' | 'revokeKey'>
  /** Resolves when no instance believes the key any more. */
  readonly announce: (keyId: string) => Promise<void>
}

/** `DELETE /v1/keys/{id}`: ends a key, on every instance. Repeated it changes nothing. */
export function deleteKey(app: App, { access, store, announce }: DeleteKey): void {
  const schema = {
    summary: 'Revoke a key at once',
    security: bearer,
    params: z.object({ id: uuid }),
    response: { 200: keyReport, ...problems(400, 401, 403, 404, 503) },
  }
  app.delete('/v1/keys/:id', { schema }, async (request) => {
    const caller = await identifyCaller(request.headers.authorization, access)
    const [found] = await store.listKeys({ id: request.params.id })
    const { id } = authorizeChange(caller, found, 'revoke')
    const key = await store.revokeKey({ id, actor: caller.actor })
    await announce(id)
    return key ?? found
  })
}
