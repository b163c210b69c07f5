import { fork } from 'node:child_process'
import { BenchError } from '../bench-error.ts'

/** A program of the bench's own that runs beside it. */
export interface BenchProcess {
  /** What it said when it was ready. */
  readonly hello: unknown
  stop(): Promise<void>
}

/**
 * Runs a file as a process that gets `argument` as its first message and answers one when it is ready. It ends when
 * the bench ends, however that happens.
 */
export async function startProcess(file: string, argument: object): Promise<BenchProcess> {
  const child = fork(file, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const exited = new Promise<void>((done) => child.once('exit', () => done()))
  const hello = await new Promise<unknown>((ready, failed) => {
    child.once('message', ready)
    child.once('error', failed)
    child.once('exit', (code) => failed(new BenchError(`${file} ended with code ${code} before it was ready.`)))
    child.send(argument)
  })
  return {
    hello,
    stop: async () => {
      if (child.connected) child.disconnect()
      await exited
    },
  }
}
