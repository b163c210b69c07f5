import type { ServerResponse } from 'node:http'

/** Answers 200 with headers, as names and values in turn, and a body. */
export type WriteAnswer = (response: ServerResponse, headers: string[], text: string) => void

/**
 * Makes what writes answers as soon as all requests that came together have been looked at. A write wakes the process
 * at the other end, which costs more than judging a token: one after the other at the end, the first write wakes it and
 * the others find it awake. A request that comes alone waits for nothing.
 */
export function writeTogether(): WriteAnswer {
  let waiting: Parameters<WriteAnswer>[] = []
  const writeAll = () => {
    const together = waiting
    waiting = []
    for (const [response, headers, text] of together) response.writeHead(200, headers).end(text)
  }
  return (...answer) => {
    if (waiting.push(answer) === 1) setImmediate(writeAll)
  }
}
