import { expect, it } from 'vitest'
import { parseTrace, readTrace } from './read-trace.ts'

it('reads all requests of the trace with exact totals', async () => {
  const trace = await readTrace()
  expect(trace).toHaveLength(19_366)
  expect(trace.reduce((sum, { inputTokens }) => sum + inputTokens, 0)).toBe(22_361_870)
  expect(trace.reduce((sum, { outputTokens }) => sum + outputTokens, 0)).toBe(4_088_665)
  expect(trace[0]).toEqual({ line: 1, offsetMs: 0, inputTokens: 374, outputTokens: 44 })
})

it.each(['1.5', '-1', '', '1e3', '0x10'])('refuses %j as a count', (count) => {
  const csv = `TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,${count},44`
  expect(() => parseTrace(csv)).toThrow(/whole number|request 1/)
})

it('refuses other columns and unreadable times', () => {
  expect(() => parseTrace('a,b,c\n1,2,3')).toThrow(/columns/)
  expect(() => parseTrace('TIMESTAMP,ContextTokens,GeneratedTokens\nyesterday,1,2')).toThrow(/time in request 1/)
})
