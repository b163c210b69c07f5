import { setTimeout as delay } from 'node:timers/promises'
import type { HttpAnswer, HttpConnection } from './http-connection.ts'

/** How requests are sent at a given pace. */
export interface PacedOptions<Request> {
  readonly connections: readonly HttpConnection[]
  readonly perSecond: number
  /** The next request; undefined ends the sending. */
  readonly next: () => Request | undefined
  /** Throws for an answer that must not be. */
  readonly onAnswer: (request: Request, answer: HttpAnswer) => void
}

/**
 * Sends each request at its time, whether or not those before were answered (open loop): a server that falls behind
 * is not spared. A request waits only while all connections are taken.
 */
export async function sendPaced<Request extends { readonly bytes: Buffer }>(
  options: PacedOptions<Request>,
): Promise<void> {
  const { connections, perSecond, next, onAnswer } = options
  const startedAtMs = performance.now()
  let sent = 0
  const work = async (connection: HttpConnection): Promise<void> => {
    for (;;) {
      const dueInMs = startedAtMs + (sent++ * 1_000) / perSecond - performance.now()
      if (dueInMs > 0) await delay(dueInMs)
      const request = next()
      if (request === undefined) return
      onAnswer(request, await connection.exchange(request.bytes))
    }
  }
  await Promise.all(connections.map(work))
}
