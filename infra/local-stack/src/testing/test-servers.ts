import { inject } from 'vitest'
import { copyStack } from '../copy-stack.ts'
import { type Servers, type ServersOptions, startServers } from '../servers.ts'
import { type Stack, type StackOptions, startStack } from '../stack.ts'
import { createTemporaryDir } from '../temporary-dir.ts'
import './provided.ts'

/** Lets a stack begin with a copy of the global setup's migrated data: making the same once more takes seconds. */
export const copySeed = (dir: string): void => {
  const { seed } = inject('tollgate')
  if (seed !== null) copyStack(seed, dir)
}

const inTemporaryDir = async <Started extends { stop(): Promise<void> }>(
  start: (dir: string) => Promise<Started>,
): Promise<Started> => {
  const temporary = createTemporaryDir()
  try {
    copySeed(temporary.dir)
    const started = await start(temporary.dir)
    const stop = async () => {
      await started.stop()
      await temporary.remove()
    }
    return { ...started, stop }
  } catch (error) {
    await temporary.remove()
    throw error
  }
}

/** Servers of a test's own, which it may kill. They begin with a copy of the global setup's; `stop()` removes their data too. */
export const startTestServers = (options: Omit<ServersOptions, 'dir'> = {}): Promise<Servers> =>
  inTemporaryDir((dir) => startServers({ durable: false, ...options, dir }))

/** A whole stack of a test's own, services included. `stop()` removes its data too. */
export const startTestStack = (options: Omit<StackOptions, 'dir'> = {}): Promise<Stack> =>
  inTemporaryDir((dir) => startStack({ durable: false, ...options, dir }))
