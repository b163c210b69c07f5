import type { LimitRun } from '@tollgate/bench/holds'
import type { Finding } from './finding.ts'

/** The limit whose usage is all reserved was never passed, and what was spent is what the callers committed. */
export function checkLimit({ spending, worstExcess, end }: LimitRun): Finding {
  const faults: string[] = []
  if (!Number.isFinite(worstExcess)) faults.push('the limit was never looked at')
  if (worstExcess > 0) faults.push(`used + held was ${worstExcess} LLM tokens above the limit`)
  if (end.usedTokens !== spending.usedTokens) {
    faults.push(`${end.usedTokens} LLM tokens were used, ${spending.usedTokens} were committed`)
  }
  const { held, refused, committed, released, abandoned } = spending
  return {
    audit: 'a reserved limit is never passed',
    faults,
    looked: `${held} holds (${committed} committed, ${released} released, ${abandoned} abandoned), ${refused} refused`,
  }
}
