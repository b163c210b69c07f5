import type { Rpc } from '@tollgate/shared/store'
import type { SecretBox } from '@tollgate/shared/webhooks'

/** What sealing anew stands on. */
export interface ResealOptions {
  readonly rpc: Rpc
  readonly box: SecretBox
  /** Told of how many were sealed anew. */
  readonly onResealed: (endpoints: number) => void
  readonly onError: (error: unknown) => void
}

const MAX_ROWS = 1_000

/**
 * Seals secrets with the first key that were sealed with another one, so that an old key can be dropped. One whose key is
 * missing already is reported and left alone. Any number of enforcers may do it at a time.
 */
export async function resealSecrets({ rpc, box, onResealed, onError }: ResealOptions): Promise<void> {
  if (box.sealPrefix === undefined) return
  let resealed = 0
  for (const row of await rpc('list_old_seals', { query: { key_prefix: box.sealPrefix, max_rows: MAX_ROWS } })) {
    const { id, sealed_secret: from_sealed, previous_sealed_secret: previous } = row
    try {
      const again = (sealed: string): string => box.seal(box.open(sealed, id), id)
      const sealed = { sealed_secret: again(from_sealed), previous_sealed_secret: previous && again(previous) }
      const [answer] = await rpc('reseal_webhook', { change: { id, from_sealed, ...sealed } })
      if (answer?.done) resealed++
    } catch (error) {
      onError(error)
    }
  }
  if (resealed > 0) onResealed(resealed)
}
