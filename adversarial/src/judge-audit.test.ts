import { describe, expect, test } from 'vitest'
import { judgeAudit } from './judge-audit.ts'

const answer = (vulnerabilities: Record<string, number>) => JSON.stringify({ metadata: { vulnerabilities } })

describe('an audit', () => {
  test('is good with nothing but the lowest', () => {
    expect(judgeAudit(answer({ info: 0, low: 2, moderate: 0, high: 0, critical: 0 }))).toMatchObject({ isGood: true })
  })
  test.each(['moderate', 'high', 'critical'])('is not with one that is %s', (severity) => {
    expect(judgeAudit(answer({ [severity]: 1 }))).toMatchObject({ asked: true, isGood: false })
  })
  test.each(['', '{}', 'Error: ERR_PNPM_AUDIT_BAD_RESPONSE\n × responded with 405', '{"error":{"code":"ERR_X"}}'])(
    'was not made: %s',
    (output) => {
      expect(judgeAudit(output)).toMatchObject({ asked: false })
    },
  )
})
