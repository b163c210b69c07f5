import type { AcceptedEvent, PublishedPosition } from '@tollgate/shared/contracts'

/** Whether an event is to be recorded before those that wait already. */
export type IsUrgent = (event: AcceptedEvent) => boolean

/** What is known of an organization beside its position, until there is a newer one. */
interface Since {
  /** LLM tokens from the position to the total at which a decision could change. */
  readonly distance: number
  /** LLM tokens that were accepted here since. */
  accepted: number
  /** When its events stop being urgent, on the monotonic clock. */
  untilMs: number | undefined
}

// A newer position is there in a fraction of that, unless nobody publishes: then nobody decides either.
const HURRY_MS = 1_000

/**
 * Makes the guess which usage takes its organization to the total at which a decision could change: by the published
 * position and what was accepted here since. Twice of that, because what comes next has to find recorded what came before,
 * and other instances accept as well. It decides in which order events are recorded and nothing else, so that a wrong guess
 * costs some milliseconds and no figure.
 */
export function judgeUrgency(
  find: (organizationId: string) => PublishedPosition | undefined,
  monotonicNow: () => number,
): IsUrgent {
  const since = new WeakMap<PublishedPosition, Since>()
  const follow = (position: PublishedPosition, evaluateAt: string): Since => {
    const known = since.get(position)
    if (known !== undefined) return known
    const distance = Number(BigInt(evaluateAt) - BigInt(position.used_tokens))
    const begun = { distance, accepted: 0, untilMs: undefined }
    since.set(position, begun)
    return begun
  }
  return (event) => {
    if (event.type !== 'usage.recorded') return false
    const position = find(event.organization_id)
    if (position === undefined || position.evaluate_at === null) return false
    const known = follow(position, position.evaluate_at)
    // Reached already: the enforcer has been woken.
    if (known.distance <= 0) return false
    const tokens = event.input_tokens + event.output_tokens
    const reaches = 2 * known.accepted + tokens >= known.distance
    known.accepted += tokens
    if (!reaches) return false
    known.untilMs ??= monotonicNow() + HURRY_MS
    return monotonicNow() < known.untilMs
  }
}
