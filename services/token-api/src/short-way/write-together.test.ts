import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { writeTogether } from './write-together.ts'

const server = createServer()
let responses: ServerResponse[]
let written: number[]

beforeEach(async () => {
  responses = []
  written = []
  const together = writeTogether()
  server.on('request', (request, response: ServerResponse) => {
    written.push(responses.filter(({ writableEnded }) => writableEnded).length)
    responses.push(response)
    if (request.url === '/late') setTimeout(() => response.end('late'), 20)
    else together(() => response.end(request.url))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterEach(() => server.removeAllListeners('request').close())

/** Sends requests in one piece on a connection of their own, and gives what came back once it has been closed. */
function pipeline(...paths: string[]): Promise<string> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const last = paths.length - 1
  socket.write(
    paths
      .map((path, index) => `GET ${path} HTTP/1.1\r\nhost: x\r\n${index === last ? 'connection: close\r\n' : ''}\r\n`)
      .join(''),
  )
  return new Promise((resolve, reject) => {
    let text = ''
    socket.on('data', (chunk) => (text += chunk.toString()))
    socket.on('end', () => resolve(text)).on('error', reject)
  })
}

test('each request gets its answer, in the order of a connection, though others take longer', async () => {
  const text = await pipeline('/one', '/two', '/late', '/three')
  expect(text.match(/\/one|\/two|late|\/three/g)).toEqual(['/one', '/two', 'late', '/three'])
})

test('answers are written when all requests that came together have been looked at', async () => {
  await pipeline('/one', '/two', '/three')
  expect(written).toEqual([0, 0, 0])
  await pipeline('/alone')
  expect(written.at(-1)).toBe(3)
})

test('who leaves before the answer takes it from nobody else', async () => {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  server.once('request', (request) => request.socket.destroy())
  socket.on('error', () => undefined).write('GET /gone HTTP/1.1\r\nhost: x\r\n\r\n')
  expect(await pipeline('/stays')).toContain('/stays')
})
