import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { StackError } from './errors.ts'

/** Whether nothing listens on 127.0.0.1:`port` at this moment. */
const isPortFree = (port: number): Promise<boolean> =>
  new Promise((done) => {
    const server = createServer()
    server.once('error', () => done(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => done(true)))
  })

// Below the range from which Linux and macOS take the local ends of connections: when a server that was killed starts again, no
// connection shall have its port.
const [LOWEST, HIGHEST] = [10_240, 32_000] as const
const MAX_TRIES = 100

export const freePort = async (): Promise<number> => {
  for (let count = 0; count < MAX_TRIES; count++) {
    const port = randomInt(LOWEST, HIGHEST)
    if (await isPortFree(port)) return port
  }
  throw new StackError('No free TCP port could be found on 127.0.0.1.')
}

/** What is known about the port of one server: `fixed` must be free, `remembered` is used again when it is. */
export type PortWish = { fixed?: number | undefined; remembered?: number | undefined; preferred?: number | undefined }

/** Chooses a free port on 127.0.0.1 for each name, no two alike. Throws one clear line when a fixed port is in use. */
export const choosePorts = async <Name extends string>(
  wishes: Record<Name, PortWish>,
): Promise<Record<Name, number>> => {
  const chosen: Partial<Record<Name, number>> = {}
  const taken = new Set<number>()
  for (const name of Object.keys(wishes) as Name[]) {
    const port = await choosePort(name, wishes[name], taken)
    chosen[name] = port
    taken.add(port)
  }
  return chosen as Record<Name, number>
}

const choosePort = async (name: string, wish: PortWish, taken: Set<number>): Promise<number> => {
  if (wish.fixed !== undefined) {
    if (!taken.has(wish.fixed) && (await isPortFree(wish.fixed))) return wish.fixed
    throw new StackError(
      `Port ${wish.fixed} for ${name} is already in use. Stop what listens there, or choose another with --port ${name}=<number>.`,
    )
  }
  for (const port of [wish.remembered, wish.preferred]) {
    if (port !== undefined && !taken.has(port) && (await isPortFree(port))) return port
  }
  for (;;) {
    const port = await freePort()
    if (!taken.has(port)) return port
  }
}
