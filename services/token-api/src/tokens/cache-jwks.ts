import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import { z } from 'zod'

/** Where the public keys are. */
export interface JwksOptions {
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly now: () => number
}

const MAX_AGE_MS = 10 * 60_000
/** For how long an endpoint that is away is survived on the keys that were read last. */
const MAX_STALE_MS = 24 * 3_600_000
const COOLDOWN_MS = 30_000
const RETRY_MS = 2_000
const TIMEOUT_MS = 1_500

// Key pairs alone: a symmetric key in a public document would be nobody's secret.
const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) })
const isKeyPair = ({ kty }: { kty: string }): boolean => kty === 'EC' || kty === 'RSA'

interface State {
  find: JWTVerifyGetKey | undefined
  readAtMs: number
  askedAtMs: number
  fault: unknown
  asking: Promise<void> | undefined
}

/**
 * Finds the public key of a token. An unknown `kid` makes it read again, at most twice a minute, so that a rotated key
 * is taken without a restart; while the endpoint is away the keys that were read last go on for a day.
 * @throws jose's errors when there is no such key, others when that cannot be told at present
 */
export function createJwksCache(options: JwksOptions): JWTVerifyGetKey {
  const never = Number.NEGATIVE_INFINITY
  const state: State = { find: undefined, readAtMs: never, askedAtMs: never, fault: undefined, asking: undefined }
  return async (header, token) => {
    const ageMs = ageOf(state.readAtMs, options)
    if (ageMs > MAX_STALE_MS) await ask(state, options, RETRY_MS)
    else if (ageMs > MAX_AGE_MS) void ask(state, options, RETRY_MS)
    try {
      return await findKey(state, options, header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
      await ask(state, options, state.fault === undefined ? COOLDOWN_MS : RETRY_MS)
      return findKey(state, options, header, token).catch((second: unknown) => {
        // The key may be a new one, which only the endpoint could say.
        throw state.fault ?? second
      })
    }
  }
}

async function findKey(state: State, { now }: JwksOptions, ...[header, token]: Parameters<JWTVerifyGetKey>) {
  if (state.find === undefined || now() - state.readAtMs > MAX_STALE_MS) {
    throw new Error('the public keys cannot be read', { cause: state.fault })
  }
  return state.find(header, token)
}

/** What lies in the future is as good as forgotten: the clock was set back, and nothing would be asked until it is there. */
function ageOf(atMs: number, { now }: JwksOptions): number {
  const ageMs = now() - atMs
  return ageMs < 0 ? Number.POSITIVE_INFINITY : ageMs
}

/** Reads the keys unless that was tried just before; never rejects. */
async function ask(state: State, options: JwksOptions, cooldownMs: number): Promise<void> {
  if (state.asking === undefined && ageOf(state.askedAtMs, options) < cooldownMs) return
  state.asking ??= read(options)
    .then((keys) => {
      state.find = createLocalJWKSet(keys)
      state.readAtMs = options.now()
      state.fault = undefined
    })
    .catch((error: unknown) => {
      state.fault = error
    })
    .finally(() => {
      state.askedAtMs = options.now()
      state.asking = undefined
    })
  await state.asking
}

async function read({ url, headers = {} }: JwksOptions): Promise<JSONWebKeySet> {
  const response = await fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) })
  if (!response.ok) throw new Error(`the endpoint of the public keys answered ${response.status}`)
  return { keys: keySet.parse(await response.json()).keys.filter(isKeyPair) }
}
