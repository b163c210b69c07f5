import { join } from 'node:path'
import { z } from 'zod'
import { BenchError } from '../bench-error.ts'
import { openHttpConnections } from '../load/http-connection.ts'
import { sendAll } from '../load/send-all.ts'
import { startProcess } from '../stack/start-process.ts'
import { type Contender, time } from './contender.ts'

/** What the bare server answers. */
export interface BareAnswers {
  readonly postBody: unknown
  readonly getBody: unknown
}

/** Starts a Fastify that answers given bodies on the token API's paths, and does nothing else. */
export async function startBareServer(answers: BareAnswers): Promise<{ url: string; stop(): Promise<void> }> {
  const { hello, stop } = await startProcess(join(import.meta.dirname, '../bare-server/main.ts'), answers)
  return { url: z.string().parse(hello), stop }
}

/** How plain requests are sent. */
export interface SendRequestsOptions {
  readonly name: string
  readonly url: string
  readonly inFlight: number
  /** What every answer must have. */
  readonly status: number
  /** Makes that many requests; not in the time. */
  readonly makeRequests: (count: number) => Promise<Buffer[]>
}

/** Requests that leave nothing behind but their answers. */
export async function createSendRequests(options: SendRequestsOptions): Promise<Contender> {
  const { name, url, inFlight, status, makeRequests } = options
  const connections = await openHttpConnections(url, inFlight)
  return {
    name,
    firstCount: 1_000,
    run: async (count) => {
      const requests = (await makeRequests(count)).map((bytes) => ({ bytes }))
      const { result: answerTimesMs, seconds } = await time(() =>
        sendAll(connections, requests, (_request, answer) => {
          if (answer.status === status) return
          throw new BenchError(`${name}: ${answer.status} ${answer.body.slice(0, 500)}`)
        }),
      )
      return { count, seconds, answerTimesMs, cpuUs: {} }
    },
    close: async () => {
      for (const connection of connections) connection.close()
    },
  }
}
