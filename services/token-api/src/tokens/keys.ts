import { hkdfSync, webcrypto } from 'node:crypto'

/** The keys with which tokens are signed and verified: one a purpose, so that none can be taken for another. */
export interface TokenKeys {
  readonly access: webcrypto.CryptoKey
  readonly handoff: webcrypto.CryptoKey
  readonly refresh: webcrypto.CryptoKey
}

/**
 * Imports the access key as it is (front ends and gateways verify with LIBRECHAT_JWT_SECRET itself) and derives the
 * handoff key from it (HKDF, RFC 5869), which nobody outside needs. Refresh tokens have a secret of their own.
 */
export async function importKeys(secret: string, refreshSecret: string): Promise<TokenKeys> {
  const access = new TextEncoder().encode(secret)
  const handoff = new Uint8Array(hkdfSync('sha256', access, new Uint8Array(), 'tollgate handoff', 32))
  const refresh = new TextEncoder().encode(refreshSecret)
  return { access: await importKey(access), handoff: await importKey(handoff), refresh: await importKey(refresh) }
}

function importKey(bytes: Uint8Array<ArrayBuffer>): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify'])
}
