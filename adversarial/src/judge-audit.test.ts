import { describe, expect, test } from 'vitest'
import { judgeAudit } from './judge-audit.ts'

const NONE = { info: 0, low: 0, moderate: 0, high: 0, critical: 0 }
const answer = (vulnerabilities: Record<string, number>) => JSON.stringify({ metadata: { vulnerabilities } })

describe('an audit', () => {
  test('is good with nothing but the lowest', () => {
    expect(judgeAudit(answer({ ...NONE, low: 2 }))).toMatchObject({ verdict: 'good' })
  })
  test.each(['moderate', 'high', 'critical'])('is bad with one that is %s', (severity) => {
    expect(judgeAudit(answer({ ...NONE, [severity]: 1 }))).toMatchObject({ verdict: 'bad' })
  })
  test.each([
    '',
    '{}',
    '{"metadata":{"vulnerabilities":{}}}',
    'Error: ERR_PNPM_AUDIT_BAD_RESPONSE\n × responded with 405',
    '{"error":{"code":"ERR_X"}}',
  ])('was not made: %s', (output) => {
    expect(judgeAudit(output)).toMatchObject({ verdict: 'not asked' })
  })
  test('that was not made says why', () => {
    expect(judgeAudit('Error: ERR_PNPM_AUDIT_BAD_RESPONSE').text).toContain('ERR_PNPM_AUDIT_BAD_RESPONSE')
  })
})
