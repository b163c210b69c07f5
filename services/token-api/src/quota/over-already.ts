import { ProblemError } from '@tollgate/shared/contracts'

/** The problem of an order or a grant whose end, which `pointer` names, has passed: it would be on record and change nothing. */
export function overAlready(pointer: string): ProblemError {
  return new ProblemError('bad-request', 'What is ordered would be over already.', {
    extensions: { errors: [{ pointer, detail: 'must lie in the future' }] },
  })
}
