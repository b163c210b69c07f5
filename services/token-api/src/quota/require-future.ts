import { ProblemError } from '@tollgate/shared/contracts'

/** Refuses an end that is over: the order would be on record and change nothing. @throws ProblemError `bad-request` */
export function requireFuture(until: string | undefined, nowMs: number): void {
  if (until === undefined || Date.parse(until) > nowMs) return
  throw new ProblemError('bad-request', 'What is ordered would be over already.', {
    extensions: { errors: [{ pointer: '#/until', detail: 'must lie in the future' }] },
  })
}
