import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto'

/** A sealed secret cannot be opened: its key is not among those given, or it is not whole. */
export class SealError extends Error {
  override readonly name = 'SealError'
}

/** Keeps secrets unreadable for whoever sees the database alone. */
export interface SecretBox {
  /** What each secret begins with that was sealed with the first key; undefined: there is none to seal with. */
  readonly sealPrefix: string | undefined
  /** Seals with the first key, the same always the same way; `owner` is what it belongs to. @throws SealError without a key */
  seal(secret: string, owner: string): string
  /** @throws SealError for another owner, an unknown key, or a change */
  open(sealed: string, owner: string): string
}

interface Key {
  readonly id: string
  readonly bytes: Buffer
  readonly ivBytes: Buffer
}

const ALGORITHM = 'aes-256-gcm'
const KEY_BYTES = 32
const ID_BYTES = 6
// Of the secret itself (a keyed hash), so that a repeated write stores the same. Another secret has another one.
const IV_BYTES = 12
const TAG_BYTES = 16

/**
 * Makes a box from secrets of any length: the first seals, all open. Sealed: `v1.<id of the key>.<IV, ciphertext and tag>`,
 * AES-256-GCM; the owner is authenticated, so that what is moved to another row does not open.
 */
export function createSecretBox(secrets: readonly string[]): SecretBox {
  const keys = secrets.map(deriveKey)
  const [first] = keys
  return {
    sealPrefix: first && `v1.${first.id}.`,
    seal: (secret, owner) => {
      if (first === undefined) throw new SealError('there is no key to seal secrets with')
      const iv = createHmac('sha256', first.ivBytes).update(`${owner}\0${secret}`).digest().subarray(0, IV_BYTES)
      const cipher = createCipheriv(ALGORITHM, first.bytes, iv).setAAD(Buffer.from(owner))
      const parts = [iv, cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()]
      return `v1.${first.id}.${Buffer.concat(parts).toString('base64url')}`
    },
    open: (sealed, owner) => {
      const [version, id, body = ''] = sealed.split('.')
      const key = keys.find((known) => known.id === id)
      if (version !== 'v1' || key === undefined) throw new SealError('the key of a sealed secret is not known')
      return decrypt(Buffer.from(body, 'base64url'), key, owner)
    },
  }
}

function decrypt(body: Buffer, key: Key, owner: string): string {
  try {
    const decipher = createDecipheriv(ALGORITHM, key.bytes, body.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
    decipher.setAAD(Buffer.from(owner)).setAuthTag(body.subarray(-TAG_BYTES))
    return decipher.update(body.subarray(IV_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
  } catch (cause) {
    throw new SealError('a sealed secret was changed, or belongs to something else', { cause })
  }
}

// RFC 5869: two keys and an id from one secret, none of which tells anything about another.
function deriveKey(secret: string): Key {
  const bytes = Buffer.from(hkdfSync('sha256', secret, '', 'tollgate webhook secrets', 2 * KEY_BYTES + ID_BYTES))
  return {
    bytes: bytes.subarray(0, KEY_BYTES),
    ivBytes: bytes.subarray(KEY_BYTES, 2 * KEY_BYTES),
    id: bytes.subarray(2 * KEY_BYTES).toString('base64url'),
  }
}
