import { describe, expect, test } from 'vitest'
import { openHttpConnection, readAnswer } from './http-connection.ts'
import { formatRequest } from './http-request.ts'

const ANSWER = 'HTTP/1.1 202 Accepted\r\nContent-Length: 7\r\nx: y\r\n\r\n{"a":1}'

describe('readAnswer', () => {
  test('gives status and body once the answer is whole', () => {
    const bytes = Buffer.from(ANSWER)
    for (let length = 0; length < bytes.length; length++) expect(readAnswer(bytes.subarray(0, length))).toBeUndefined()
    expect(readAnswer(bytes)).toEqual({ status: 202, body: '{"a":1}' })
  })

  test('refuses an answer whose end cannot be known', () => {
    expect(() => readAnswer(Buffer.from('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n'))).toThrow('no length')
  })
})

test('a request counts bytes, not characters', () => {
  const request = formatRequest({ method: 'POST', path: '/x', token: 't', body: { type: 'text/plain', text: 'é' } })
  expect(request.toString()).toBe(
    'POST /x HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer t\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\né',
  )
})

test('load goes to this machine alone', async () => {
  await expect(openHttpConnection('http://192.0.2.1:80')).rejects.toThrow('127.0.0.1 alone')
})
