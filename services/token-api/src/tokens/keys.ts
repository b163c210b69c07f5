import { createPrivateKey, createPublicKey, hkdfSync, type KeyObject, type webcrypto } from 'node:crypto'
import { calculateJwkThumbprint, type JWK } from 'jose'
import { z } from 'zod'
import { importHmac } from './import-hmac.ts'

/** A key of access tokens under its `kid`, with the one algorithm that it is for. */
export type AccessKey = { readonly kid: string; readonly key: webcrypto.CryptoKey } & (
  | { readonly alg: 'ES256' }
  // The bytes too, since WebCrypto's verification waits for another thread.
  | { readonly alg: 'HS256'; readonly secret: Uint8Array }
)

/** One key signs; it and those that were in force before verify. */
export interface AccessKeys {
  readonly signing: AccessKey
  readonly verification: readonly AccessKey[]
  /** Public halves, for `/.well-known/jwks.json`; empty while a shared secret signs. */
  readonly published: readonly JWK[]
}

/** The keys with which tokens are signed and verified: one a purpose, so that none can be taken for another. */
export interface TokenKeys {
  readonly access: AccessKeys
  readonly handoff: webcrypto.CryptoKey
  readonly refresh: webcrypto.CryptoKey
  /** Marks the ids of sessions at the proxy. */
  readonly proxySession: Uint8Array
  /** What followed from the secrets that were in force before: it makes nothing new. */
  readonly previous: {
    readonly handoffs: readonly webcrypto.CryptoKey[]
    readonly proxySessions: readonly Uint8Array[]
  }
}

/** What rotation and key pairs add to the two secrets. */
export interface KeyOptions {
  /** Access secrets that were in force before: they verify and never sign. */
  readonly previousSecrets?: readonly string[]
  /** Private key of P-256 (PEM or JWK): signs with ES256 in place of the secret. */
  readonly signingKey?: string | undefined
  /** JWKS of public keys that were in force before. */
  readonly previousPublicKeys?: string | undefined
}

/**
 * Imports the access key as it is (front ends and gateways verify with LIBRECHAT_JWT_SECRET itself) and derives the
 * others from it (HKDF, RFC 5869), which nobody outside needs. Refresh tokens have a secret of their own.
 * With a key pair the secret verifies nothing any more, unless it is among the previous ones.
 * @throws TypeError for a key that is none of P-256
 */
export async function importKeys(secret: string, refreshSecret: string, options: KeyOptions = {}): Promise<TokenKeys> {
  const previousSecrets = options.previousSecrets ?? []
  const [own, previous, former, handoff, handoffs, refresh] = await Promise.all([
    options.signingKey === undefined ? fromSecret(secret) : fromPrivateKey(options.signingKey),
    Promise.all(previousSecrets.map(fromSecret)),
    Promise.all(parseJwks(options.previousPublicKeys).map(fromPublicKey)),
    importHandoff(secret),
    Promise.all(previousSecrets.map(importHandoff)),
    importHmac(new TextEncoder().encode(refreshSecret)),
  ])
  const pairs = [own, ...previous, ...former]
  const access = {
    signing: own.signer,
    verification: pairs.map(({ verifier }) => verifier),
    published: pairs.flatMap(({ jwk }) => (jwk === undefined ? [] : [jwk])),
  }
  const proxySessions = previousSecrets.map(toProxySession)
  return { access, handoff, refresh, proxySession: toProxySession(secret), previous: { handoffs, proxySessions } }
}

const importHandoff = (secret: string) => importHmac(derive(secret, 'tollgate handoff', 32))
const toProxySession = (secret: string) => derive(secret, 'tollgate proxy session', 32)

/** What signs, what verifies it, and what of it may be published. */
interface KeyPair {
  readonly signer: AccessKey
  readonly verifier: AccessKey
  readonly jwk?: JWK
}

function derive(secret: string, purpose: string, bytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(hkdfSync('sha256', new TextEncoder().encode(secret), new Uint8Array(), purpose, bytes))
}

async function fromSecret(secret: string): Promise<KeyPair> {
  // Derived, so that the `kid` says nothing of the secret.
  const kid = Buffer.from(derive(secret, 'tollgate kid', 9)).toString('base64url')
  const bytes = new TextEncoder().encode(secret)
  const signer: AccessKey = { kid, alg: 'HS256', key: await importHmac(bytes), secret: bytes }
  return { signer, verifier: signer }
}

async function fromPrivateKey(text: string): Promise<KeyPair> {
  const isJwk = text.trimStart().startsWith('{')
  const privateKey = createPrivateKey(isJwk ? { key: JSON.parse(text), format: 'jwk' } : withLineEnds(text))
  const half = await fromPublicKey(createPublicKey(privateKey).export({ format: 'jwk' }))
  return { ...half, signer: { kid: half.verifier.kid, alg: 'ES256', key: toCryptoKey(privateKey, 'sign') } }
}

async function fromPublicKey({ kty, crv, x, y }: JWK): Promise<{ verifier: AccessKey; jwk: JWK }> {
  if (kty !== 'EC' || crv !== 'P-256' || x === undefined || y === undefined) {
    throw new TypeError('a key of access tokens must be an EC key of P-256')
  }
  const kid = await calculateJwkThumbprint({ kty, crv, x, y })
  const key = toCryptoKey(createPublicKey({ key: { kty, crv, x, y }, format: 'jwk' }), 'verify')
  return { verifier: { kid, alg: 'ES256', key }, jwk: { kty, crv, x, y, kid, alg: 'ES256', use: 'sig' } }
}

function toCryptoKey(key: KeyObject, use: 'sign' | 'verify'): webcrypto.CryptoKey {
  return key.toCryptoKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, [use])
}

const jwks = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) })

function parseJwks(text: string | undefined): JWK[] {
  return text === undefined ? [] : jwks.parse(JSON.parse(text)).keys
}

// An environment variable has no line ends.
function withLineEnds(pem: string): string {
  return pem.replaceAll('\\n', '\n')
}
