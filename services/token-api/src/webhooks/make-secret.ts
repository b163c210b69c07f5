import { ProblemError } from '@tollgate/shared/contracts'
import { makeWebhookSecret, type SecretBox } from '@tollgate/shared/webhooks'

/**
 * Makes a secret for an endpoint of bytes of a source: as its owner is shown it once, and as the database keeps it; of the same
 * bytes the same. @throws ProblemError `unavailable`
 */
export type MakeSecret = (
  endpointId: string,
  random: (size: number) => Buffer,
) => { readonly secret: string; readonly sealed_secret: string }

/** Secrets are made where there is a key to seal them with. */
export function createMakeSecret(box: SecretBox): MakeSecret {
  return (endpointId, random) => {
    if (box.sealPrefix === undefined) {
      throw new ProblemError('unavailable', 'Webhooks are not set up: WEBHOOK_SECRET_KEYS is missing.', {
        extensions: { reason: 'webhook_keys_missing' },
      })
    }
    const secret = makeWebhookSecret(random)
    return { secret, sealed_secret: box.seal(secret, endpointId) }
  }
}
