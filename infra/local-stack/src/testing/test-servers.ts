import { type Servers, type ServersOptions, startServers } from '../servers.ts'
import { type Stack, type StackOptions, startStack } from '../stack.ts'
import { createTemporaryDir } from '../temporary-dir.ts'

const inTemporaryDir = async <Started extends { stop(): Promise<void> }>(
  start: (dir: string) => Promise<Started>,
): Promise<Started> => {
  const temporary = createTemporaryDir()
  try {
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

/** Servers of a test's own, which it may kill. They need no global setup; `stop()` removes their data too. */
export const startTestServers = (options: Omit<ServersOptions, 'dir'> = {}): Promise<Servers> =>
  inTemporaryDir((dir) => startServers({ durable: false, ...options, dir }))

/** A whole stack of a test's own, services included. `stop()` removes its data too. */
export const startTestStack = (options: Omit<StackOptions, 'dir'> = {}): Promise<Stack> =>
  inTemporaryDir((dir) => startStack({ durable: false, ...options, dir }))
