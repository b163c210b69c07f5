import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

/** Encrypts what is kept of a request, each bound to the request that it belongs to. */
export interface AnswerSeal {
  seal(text: string, request: string): string
  /** Undefined when it was sealed under a secret that is not known (any more), or for another request. */
  open(sealed: string, request: string): string | undefined
}

const NONCE_BYTES = 12
const TAG_BYTES = 16

/** Derives keys (HKDF, RFC 5869) from the service's secret and from those that were in force before; AES-256-GCM. */
export function createAnswerSeal(secret: string, previousSecrets: readonly string[]): AnswerSeal {
  const key = deriveKey(secret)
  const keys = [key, ...previousSecrets.map(deriveKey)]
  return {
    seal: (text, request) => {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(request))
      return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64')
    },
    open: (sealed, request) => {
      const bytes = Buffer.from(sealed, 'base64')
      for (const known of keys) {
        const text = decrypt(known, bytes, request)
        if (text !== undefined) return text
      }
      return undefined
    },
  }
}

function deriveKey(secret: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', 'tollgate idempotent answers', 32))
}

function decrypt(key: Buffer, bytes: Buffer, request: string): string | undefined {
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES))
    .setAAD(Buffer.from(request))
    .setAuthTag(bytes.subarray(-TAG_BYTES))
  const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES))
  try {
    return Buffer.concat([text, decipher.final()]).toString('utf8')
  } catch {
    return undefined
  }
}
