import type { IncomingMessage } from 'node:http'
import type { App } from '../routes/typed-app.ts'

const ID = /^[\w.-]{1,128}$/

/** The caller's `x-request-id` where it is harmless in a log, else a new one. */
export function takeRequestId(newId: () => string): (request: IncomingMessage) => string {
  return (request) => {
    const given = request.headers['x-request-id']
    return typeof given === 'string' && ID.test(given) ? given : newId()
  }
}

/** Says the request's id in each answer, and forbids caches to keep what is about one caller. */
export function markAnswers(app: App): void {
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id)
    reply.header('cache-control', 'no-store')
    done()
  })
}

/** One line a request, where the level is low enough to ask for it: its route and never its address, which may hold a token. */
export function logAnswers(app: App): void {
  if (!isLoggingAnswers(app)) return
  app.addHook('onResponse', async (request, reply) => {
    const { method, routeOptions, id } = request
    const ms = Math.round(reply.elapsedTime)
    request.log.debug(
      { method, route: routeOptions.url ?? null, status: reply.statusCode, ms, request_id: id },
      'answered',
    )
  })
}

/** Whether each answer has its line in the log. */
export function isLoggingAnswers(app: App): boolean {
  return ['debug', 'trace'].includes(app.log.level)
}
