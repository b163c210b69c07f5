/** A fault that the person at the terminal can act on: `start` prints its message alone, without a stack trace. */
export class StackError extends Error {
  override readonly name = 'StackError'
}

/** The message of anything that was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
