const DEFAULT_WAIT_SECONDS = 5
const MAX_WAIT_SECONDS = 30

/**
 * Seconds of `Prefer: wait` (RFC 7240), 0 without it. A preference that cannot be read is ignored, as the RFC says;
 * without a number it is 5, and 30 at most.
 */
export function readWaitSeconds(prefer: string | string[] | undefined): number {
  for (const preference of [prefer ?? []].flat().join(',').split(',')) {
    // Of a preference that stands twice the first one counts.
    const match = /^\s*wait\s*(?:=\s*"?(\d{1,9})"?\s*)?(?:;.*)?$/i.exec(preference)
    if (match) return Math.min(MAX_WAIT_SECONDS, match[1] === undefined ? DEFAULT_WAIT_SECONDS : Number(match[1]))
  }
  return 0
}
