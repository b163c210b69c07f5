import type { ProxyMode } from '@tollgate/local-stack'
import { type Inject, last } from './fault-context.ts'

/** Puts the proxy of a connection into a mode for the fault's time. */
const damage =
  (mode: ProxyMode): Inject =>
  async ({ connections }, { target, seconds, amount }, stopping) => {
    const proxy = connections.of(target)
    proxy.delayMs = amount
    proxy.mode = mode
    try {
      await last(seconds, stopping)
    } finally {
      proxy.mode = 'pass'
      // What was taken out of a stream can not come any more: TCP would have given up such a connection.
      proxy.drop()
    }
  }

/** Every reply of the server is late. */
export const delayReplies = damage('delay')
/** The server hears everything and is not heard: half-open connections. */
export const loseReplies = damage('swallow')
/** Connections break at the moment of the reply: whether a command was done can not be known. */
export const cutConnections = damage('cut')
/** Connections break, and no new one comes into being. */
export const shutServer = damage('shut')
