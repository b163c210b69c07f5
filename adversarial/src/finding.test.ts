import { expect, test } from 'vitest'
import { exitCodeOf, type Finding, renderFindings, type Verdict } from './finding.ts'

const findings = (...verdicts: Verdict[]): Finding[] =>
  verdicts.map((verdict, index) => ({ name: `look-${index}`, verdict, text: 'a text' }))

test('what was not asked is said at its line and at the end, and neither fails nor passes for good', () => {
  const text = renderFindings(findings('good', 'not asked'))
  expect(exitCodeOf(findings('good', 'not asked'))).toBe(0)
  expect(text).toContain('NOT ASKED  look-1')
  expect(text).not.toMatch(/^good +look-1/m)
  expect(text).toContain('Not asked, so neither good nor bad: look-1.')
})

test('one that is bad fails, whatever the others are', () => {
  expect(exitCodeOf(findings('good', 'bad', 'not asked'))).toBe(1)
  expect(renderFindings(findings('good', 'bad', 'not asked'))).toContain('Bad: look-1.')
})

test('all good is all that is said', () => {
  expect(renderFindings(findings('good')).split('\n')).toEqual([
    'good       look-0    a text',
    'Nothing that was asked is bad.',
  ])
})
