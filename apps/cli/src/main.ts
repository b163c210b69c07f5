import { EXIT } from './operator/cli-error.ts'
import { reportError } from './operator/report-error.ts'
import { createProgram } from './program.ts'

/** `pnpm` passes on a Ctrl-C that the terminal has sent already: only a later one is a second wish to end. */
const REPEATED_SIGNAL_PAUSE_MS = 1_000

const abort = new AbortController()
let abortedAtMs = 0
let kill = (): void => {}

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    if (!abort.signal.aborted) {
      abortedAtMs = Date.now()
      process.stderr.write('\nStopping …\n')
      abort.abort()
    } else if (Date.now() - abortedAtMs > REPEATED_SIGNAL_PAUSE_MS) {
      kill()
      process.exit(130)
    }
  })
}
// The reader of our output may go first; that must not stop the orderly end.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

const program = createProgram({
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  signal: abort.signal,
  onKill: (action) => {
    kill = action
  },
  setExitCode: (code) => {
    process.exitCode = code
  },
})

// `pnpm demo -- --short` hands the two dashes on.
const args = process.argv.slice(2).filter((arg) => arg !== '--')

program.parseAsync(args, { from: 'user' }).catch((error: unknown) => {
  const { exitCode, message } = reportError(error)
  process.exitCode = abort.signal.aborted ? EXIT.interrupted : exitCode
  if (message !== null && (!abort.signal.aborted || exitCode === EXIT.interrupted)) console.error(message)
})
