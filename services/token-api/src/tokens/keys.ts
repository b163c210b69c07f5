import { hkdfSync, webcrypto } from 'node:crypto'

/** The keys with which tokens are signed and verified: one a purpose, so that none can be taken for another. */
export interface TokenKeys {
  readonly access: webcrypto.CryptoKey
  readonly handoff: webcrypto.CryptoKey
  readonly refresh: webcrypto.CryptoKey
  /** Marks the ids of sessions at the proxy. */
  readonly proxySession: Uint8Array
}

/**
 * Imports the access key as it is (front ends and gateways verify with LIBRECHAT_JWT_SECRET itself) and derives the
 * others from it (HKDF, RFC 5869), which nobody outside needs. Refresh tokens have a secret of their own.
 */
export async function importKeys(secret: string, refreshSecret: string): Promise<TokenKeys> {
  const access = new TextEncoder().encode(secret)
  const derive = (purpose: string) => new Uint8Array(hkdfSync('sha256', access, new Uint8Array(), purpose, 32))
  const refresh = new TextEncoder().encode(refreshSecret)
  return {
    access: await importKey(access),
    handoff: await importKey(derive('tollgate handoff')),
    refresh: await importKey(refresh),
    proxySession: derive('tollgate proxy session'),
  }
}

function importKey(bytes: Uint8Array<ArrayBuffer>): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify'])
}
