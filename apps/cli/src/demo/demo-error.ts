/** A fault that the person at the terminal can act on: the command prints its message alone, without a stack trace. */
export class DemoError extends Error {
  override readonly name = 'DemoError'
}

/** The message of anything that was thrown, with that of its cause: fetch hides the useful half there. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof DemoError) return error.message
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message
}
