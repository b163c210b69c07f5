import { hash, randomBytes } from 'node:crypto'

/** A new key: its text, which only its owner ever gets, and what is kept of it. */
export interface NewKey {
  readonly text: string
  readonly prefix: string
  readonly sha256: string
}

const RANDOM_BYTES = 24
const PREFIX_LENGTH = 11

/** Makes a server's key: `tg_` and 192 random bits, of a source that a repeated write gives in place of new ones. */
export function makeKey(random: (size: number) => Buffer = randomBytes): NewKey {
  const text = `tg_${random(RANDOM_BYTES).toString('base64url')}`
  return { text, prefix: text.slice(0, PREFIX_LENGTH), sha256: hash('sha256', text) }
}
