import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

/** Encrypts kept answers, each bound to the request that it answers. */
export interface AnswerSeal {
  seal(text: string, request: string): string
  /** @throws Error when it was sealed under another secret or for another request */
  open(sealed: string, request: string): string
}

const NONCE_BYTES = 12
const TAG_BYTES = 16

/** Derives the key (HKDF, RFC 5869) from the service's secret; AES-256-GCM. */
export function createAnswerSeal(secret: string): AnswerSeal {
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'tollgate idempotent answers', 32))
  return {
    seal: (text, request) => {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(request))
      return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64')
    },
    open: (sealed, request) => {
      const bytes = Buffer.from(sealed, 'base64')
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES))
        .setAAD(Buffer.from(request))
        .setAuthTag(bytes.subarray(-TAG_BYTES))
      const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES))
      return Buffer.concat([text, decipher.final()]).toString('utf8')
    },
  }
}
