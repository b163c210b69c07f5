import type { IncomingMessage, ServerResponse } from 'node:http'
import type { App } from '../routes/typed-app.ts'
import type { Header } from './collect-headers.ts'

/** What failed after it had begun, and the headers that its answer has beside. */
export interface Failure {
  readonly error: unknown
  readonly headers: readonly Header[]
}

/** The way from the short one back to the routes. */
export interface HandOver {
  /** Has a request served by its route. */
  route(request: IncomingMessage, response: ServerResponse): void
  /** Has a failure answered as if the route had failed so; the route itself does nothing. */
  fail(request: IncomingMessage, response: ServerResponse, failure: Failure): void
}

/** Opens the way back; its hook is to come before those that count or refuse requests. */
export function openHandOver(app: App): HandOver {
  const failures = new WeakMap<IncomingMessage, Failure>()
  app.addHook('onRequest', ({ raw }, reply, done) => {
    const failure = failures.get(raw)
    if (failure === undefined) return done()
    for (const [name, value] of failure.headers) reply.header(name, value)
    const { error } = failure
    done(error instanceof Error ? error : new Error('something else than an error was thrown', { cause: error }))
  })
  return {
    route: (request, response) => app.routing(request, response),
    fail: (request, response, failure) => {
      failures.set(request, failure)
      app.routing(request, response)
    },
  }
}
