/** What a command may touch of the process it runs in. */
export interface CommandIo {
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  readonly env: NodeJS.ProcessEnv
  /** Aborted by the first Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal
  /** Registers what a second Ctrl-C must still do before the process ends at once. */
  onKill(action: () => void): void
  setExitCode(code: number): void
}
