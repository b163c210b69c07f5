import { createHmac, randomBytes } from 'node:crypto'

const PREFIX = 'whsec_'
const RANDOM_BYTES = 32

/**
 * Makes a secret as Standard Webhooks writes it: `whsec_` and 256 random bits in base64, of a source that a repeated write
 * gives in place of new ones.
 */
export function makeWebhookSecret(random: (size: number) => Buffer = randomBytes): string {
  return PREFIX + random(RANDOM_BYTES).toString('base64')
}

/** What is signed; `timestamp` in seconds. */
export interface SignedContent {
  readonly id: string
  readonly timestamp: number
  readonly body: string
}

/**
 * The value of `webhook-signature` (Standard Webhooks 1.0, symmetric): one `v1,…` a secret, so that a receiver with either
 * of two secrets accepts what is sent during a rotation.
 */
export function signWebhook({ id, timestamp, body }: SignedContent, secrets: readonly string[]): string {
  return secrets
    .map((secret) => {
      const key = Buffer.from(secret.slice(PREFIX.length), 'base64')
      return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`
    })
    .join(' ')
}
