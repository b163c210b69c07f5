import { expect, it } from 'vitest'
import { shortenLogLine } from './shorten-log-line.ts'

it.each([
  [
    '{"level":"error","time":1,"err":{"message":"connect ECONNREFUSED","stack":"…"},"msg":"a dependency is away"}',
    'error a dependency is away: connect ECONNREFUSED',
  ],
  ['{"level":"info","time":1,"msg":"listens","url":"http://…"}', 'info listens'],
  ['FATAL:  the database system is starting up', 'FATAL:  the database system is starting up'],
  ['{"no":"message"}', '{"no":"message"}'],
])('%s is shown as %s', (line, shown) => {
  expect(shortenLogLine(line)).toBe(shown)
})

it('a long line is cut', () => {
  expect(shortenLogLine('x'.repeat(10_000)).length).toBeLessThan(260)
})
