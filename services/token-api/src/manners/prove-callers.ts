import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Checks } from '../route-dependencies.ts'
import { readBearer } from '../tokens/read-bearer.ts'

/** Who has shown a good credential to this instance. */
export interface ProvedCallers {
  /** `key:<id>` or `user:<id>` behind an `Authorization` header that was good here, undefined for any other. */
  find(authorization: string | undefined): string | undefined
  /** The same checks, from whose verdicts callers become known and are forgotten; nothing else does that. */
  watch(checks: Checks): Checks
}

const MAX_PROVED = 10_000

/**
 * Makes the memory. It knows a caller by the verified id, so that a person or key with many tokens, or with one token in
 * many spellings, is one caller.
 */
export function proveCallers(): ProvedCallers {
  const ids = new LRUCache<string, string>({ max: MAX_PROVED })
  const note = (digest: string, id: string | undefined): void => {
    if (id === undefined) ids.delete(digest)
    else ids.set(digest, id)
  }
  return {
    find: (authorization) => {
      const bearer = readBearer(authorization)
      return 'token' in bearer ? ids.get(hash('sha256', bearer.token)) : undefined
    },
    watch: (checks) => ({
      ...checks,
      authenticateKey: async (token) => {
        const digest = hash('sha256', token)
        const key = await checks.authenticateKey(token, digest)
        note(digest, key && `key:${key.id}`)
        return key
      },
      verifySupabase: async (token) => {
        const verdict = await checks.verifySupabase(token)
        note(hash('sha256', token), 'userId' in verdict ? `user:${verdict.userId}` : undefined)
        return verdict
      },
      check: async (authorization) => {
        const verdict = await checks.check(authorization)
        const bearer = readBearer(authorization)
        if ('token' in bearer) {
          note(hash('sha256', bearer.token), 'claims' in verdict ? `user:${verdict.claims.sub}` : undefined)
        }
        return verdict
      },
    }),
  }
}
