import { describe, expect, test } from 'vitest'
import { judgeRun } from './judge-run.ts'

const reportOf = (...tests: [title: string, status: string][]) => ({
  testResults: [{ assertionResults: tests.map(([title, status]) => ({ title, status })) }],
})

describe('a run', () => {
  test('is judged by the named test alone', () => {
    expect(judgeRun(reportOf(['a', 'passed'], ['b', 'failed']), 'a')).toBe('passed')
    expect(judgeRun(reportOf(['a', 'failed'], ['b', 'passed']), 'a')).toBe('failed')
    expect(judgeRun(reportOf(['a', 'passed'], ['a', 'failed']), 'a')).toBe('failed')
  })
  test.each([[reportOf(['a', 'skipped'])], [reportOf(['b', 'failed'])], [reportOf()]])('says nothing: %j', (json) => {
    expect(() => judgeRun(json, 'a')).toThrow('not run')
  })
})
