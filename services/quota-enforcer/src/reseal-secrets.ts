import type { Rpc, RpcRow } from '@tollgate/shared/store'
import { SealError, type SecretBox } from '@tollgate/shared/webhooks'

/** What sealing anew stands on. */
export interface ResealOptions {
  readonly rpc: Rpc
  readonly box: SecretBox
  /** Told of how many were sealed anew. */
  readonly onResealed: (endpoints: number) => void
  readonly onError: (error: unknown) => void
}

const MAX_ROWS = 200

/**
 * Seals secrets with the first key that were sealed with another one, so that an old key can be dropped. One whose key is
 * missing already is reported and left alone: the next page begins behind it. Any number of enforcers may do it at a time.
 */
export async function resealSecrets(options: ResealOptions, signal: AbortSignal): Promise<void> {
  const { rpc, box, onResealed } = options
  if (box.sealPrefix === undefined) return
  const query = { key_prefix: box.sealPrefix, max_rows: MAX_ROWS }
  let resealed = 0
  let after: string | undefined
  do {
    const page = await rpc('list_old_seals', { query: { ...query, after } })
    for (const row of page) if (await resealOne(row, options)) resealed++
    after = page.length === MAX_ROWS ? page.at(-1)?.id : undefined
  } while (after !== undefined && !signal.aborted)
  if (resealed > 0) onResealed(resealed)
}

async function resealOne(row: RpcRow<'list_old_seals'>, { rpc, box, onError }: ResealOptions): Promise<boolean> {
  const { id, sealed_secret: from_sealed, previous_sealed_secret: previous } = row
  try {
    const again = (sealed: string): string => box.seal(box.open(sealed, id), id)
    const sealed = { sealed_secret: again(from_sealed), previous_sealed_secret: previous && again(previous) }
    const [answer] = await rpc('reseal_webhook', { change: { id, from_sealed, ...sealed } })
    return answer?.done === true
  } catch (error) {
    if (!(error instanceof SealError)) throw error
    onError(error)
    return false
  }
}
