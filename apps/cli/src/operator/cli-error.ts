/** How a command ends; the table stands in docs/cli.md. */
export const EXIT = { done: 0, found: 1, misused: 2, unavailable: 3, interrupted: 130 } as const

/** A fault that the person at the terminal can act on: its message is printed alone, without a stack trace. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: number

  constructor(message: string, exitCode: number = EXIT.found, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.exitCode = exitCode
  }
}
