import { readStackFile, type StackFile, startStack } from '@tollgate/local-stack'

/** A stack to work with; `close` stops it when it was started for this. */
export interface OpenedStack {
  readonly stack: StackFile
  readonly isOwn: boolean
  close(): Promise<void>
  /** Ends a stack of our own at once. */
  killAll(): void
}

/** How a stack is found or started. */
export interface OpenStackOptions {
  /** Directory of the stack's data; by default `.tollgate/` in the repository. */
  readonly dir?: string | undefined
  readonly log: (line: string) => void
  readonly env: NodeJS.ProcessEnv
  readonly signal: AbortSignal
}

/** Attaches to the stack that runs in `dir`, or starts one there. */
export async function openStack({ dir, log, env, signal }: OpenStackOptions): Promise<OpenedStack> {
  const running = readStackFile(dir)
  if (running) {
    log(`Attached to the running stack at ${running.tokenApi}.`)
    return { stack: running, isOwn: false, close: async () => {}, killAll: () => {} }
  }
  log('No stack is running: starting one for the demo (it is stopped at the end, its data is kept).')
  const own = await startStack({ dir, log, env, signal })
  return {
    stack: own.describe(),
    isOwn: true,
    close: async () => {
      log('Stopping the stack …')
      await own.stop()
    },
    killAll: () => own.killAll(),
  }
}
