import { createSecretKey } from 'node:crypto'
import { ProblemError } from '@tollgate/shared/contracts'
import { decodeProtectedHeader, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { z } from 'zod'
import { createJwksCache } from './cache-jwks.ts'

/** The signed-in user, or why the token is refused. */
export type SupabaseVerdict =
  | { readonly userId: string; readonly supabaseSessionId: string | undefined }
  | { readonly reason: 'malformed' | 'bad_signature' | 'expired' | 'anonymous' | 'signed_out' }

/** Verifies a Supabase access token. @throws ProblemError `unavailable` when its public keys cannot be read */
export type VerifySupabaseToken = (token: string) => Promise<SupabaseVerdict>

/** How a project signs its users' tokens. */
export interface SupabaseTokenOptions {
  /** `iss` of the tokens, `${SUPABASE_URL}/auth/v1`. */
  readonly issuer: string
  /**
   * `jwtSecret` for a project that signs with HS256, `jwksUrl` where the public halves of its key pairs are; a project
   * that changes from one to the other has both.
   */
  readonly keys: {
    readonly jwtSecret?: string | undefined
    readonly jwksUrl?: string | undefined
    readonly apiKey?: string | undefined
  }
  /** Epoch milliseconds. */
  readonly now: () => number
}

const TOLERANCE_SECONDS = 5
const subject = z.guid()

/** One family of keys with the algorithms that belong to it: neither is ever tried with those of the other. */
interface KeySource {
  readonly algorithms: string[]
  readonly getKey: JWTVerifyGetKey
  readonly isIssuerRequired: boolean
}

/** Makes a verifier for one project. */
export function createSupabaseTokenVerifier(options: SupabaseTokenOptions): VerifySupabaseToken {
  const sources = openKeys(options)
  return async (token) => {
    try {
      const { alg } = decodeProtectedHeader(token)
      const source = sources.find(({ algorithms }) => algorithms.includes(alg ?? ''))
      // A signature of no family that the project uses is none.
      if (source === undefined) return { reason: 'bad_signature' }
      const { payload } = await jwtVerify(token, source.getKey, {
        algorithms: source.algorithms,
        audience: 'authenticated',
        requiredClaims: ['sub', 'exp', ...(source.isIssuerRequired ? ['iss'] : [])],
        clockTolerance: TOLERANCE_SECONDS,
        currentDate: new Date(options.now()),
      })
      return judge(payload, options.issuer)
    } catch (error) {
      return { reason: reasonOf(error) }
    }
  }
}

function openKeys({ keys, now }: SupabaseTokenOptions): KeySource[] {
  const sources: KeySource[] = []
  if (keys.jwtSecret !== undefined) {
    const secret = createSecretKey(Buffer.from(keys.jwtSecret))
    // @supabase/lite writes no `iss`. The secret belongs to one project, so that it says who issued the token.
    sources.push({ algorithms: ['HS256'], getKey: () => secret, isIssuerRequired: false })
  }
  if (keys.jwksUrl !== undefined) {
    const headers: Record<string, string> = keys.apiKey === undefined ? {} : { apikey: keys.apiKey }
    const getKey = createJwksCache({ url: keys.jwksUrl, headers, now })
    sources.push({ algorithms: ['ES256', 'RS256'], getKey, isIssuerRequired: true })
  }
  return sources
}

function judge(payload: JWTPayload, issuer: string): SupabaseVerdict {
  if (payload.iss !== undefined && payload.iss !== issuer) return { reason: 'malformed' }
  if (payload.is_anonymous !== undefined && payload.is_anonymous !== false) return { reason: 'anonymous' }
  const userId = subject.safeParse(payload.sub)
  const session = subject.optional().safeParse(payload.session_id)
  if (!userId.success || !session.success) return { reason: 'malformed' }
  return { userId: userId.data.toLowerCase(), supabaseSessionId: session.data?.toLowerCase() }
}

const BAD_SIGNATURE = [
  errors.JWSSignatureVerificationFailed,
  errors.JOSEAlgNotAllowed,
  errors.JWKSNoMatchingKey,
  errors.JWKSMultipleMatchingKeys,
]
const TOKEN_FAULTS = [errors.JWTInvalid, errors.JWTClaimValidationFailed, errors.JWSInvalid, errors.JOSENotSupported]

function reasonOf(error: unknown): 'malformed' | 'bad_signature' | 'expired' {
  if (error instanceof errors.JWTExpired) return 'expired'
  if (BAD_SIGNATURE.some((type) => error instanceof type)) return 'bad_signature'
  if (TOKEN_FAULTS.some((type) => error instanceof type)) return 'malformed'
  // The header is no JSON.
  if (error instanceof TypeError && error.message.startsWith('Invalid Token')) return 'malformed'
  // What is left is not the token's fault: the endpoint of the public keys did not answer, or not with keys.
  throw new ProblemError('unavailable', 'The public keys of the Supabase project cannot be read at present.', {
    cause: error,
    retryAfterSeconds: 2,
  })
}
