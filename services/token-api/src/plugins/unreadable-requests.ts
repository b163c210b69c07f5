import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { PROBLEMS, ProblemError } from '@tollgate/shared/contracts'

/** Answers what Node cannot read as a request, which passes by every route and hook; the connection ends with it. */
export function refuseUnreadable(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  if (socket.writable) socket.write(writeAnswer(problemOf(error.code)))
  socket.destroy(error)
}

function problemOf(code: string | undefined): ProblemError {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new ProblemError('request-timeout', 'The request did not arrive in time.')
    case 'HPE_HEADER_OVERFLOW':
      return new ProblemError('headers-too-large', 'The headers are longer than is taken.')
    default:
      return new ProblemError('bad-request', 'This is no request of HTTP.')
  }
}

function writeAnswer(problem: ProblemError): string {
  const { status } = PROBLEMS[problem.code]
  const body = JSON.stringify(problem.toProblem())
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(body)}`,
    'cache-control: no-store',
    'x-content-type-options: nosniff',
    'connection: close',
  ]
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}
