import { webcrypto } from 'node:crypto'

/** Imports bytes as a key of HMAC with SHA-256. */
export function importHmac(bytes: Uint8Array<ArrayBuffer>): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify'])
}
