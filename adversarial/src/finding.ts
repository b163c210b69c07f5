/** What came of a look: held against a rule, or not even asked, which is neither good nor bad. */
export type Verdict = 'good' | 'bad' | 'not asked'

/** One line of the result. */
export interface Finding {
  readonly name: string
  readonly verdict: Verdict
  readonly text: string
}

const LABELS: Readonly<Record<Verdict, string>> = { good: 'good', bad: 'BAD', 'not asked': 'NOT ASKED' }

/** The result in lines; the last ones say what nobody knows and what is bad. */
export function renderFindings(findings: readonly Finding[]): string {
  const namesOf = (verdict: Verdict): string[] =>
    findings.filter((finding) => finding.verdict === verdict).map(({ name }) => name)
  const [unasked, bad] = [namesOf('not asked'), namesOf('bad')]
  return [
    ...findings.map(({ name, verdict, text }) => `${LABELS[verdict].padEnd(9)}  ${name.padEnd(9)} ${text}`),
    ...(unasked.length > 0 ? [`Not asked, so neither good nor bad: ${unasked.join(', ')}.`] : []),
    bad.length > 0 ? `Bad: ${bad.join(', ')}.` : 'Nothing that was asked is bad.',
  ].join('\n')
}

/** 1 when something is bad. What was not asked fails nothing: a machine without the answer must be able to go on. */
export function exitCodeOf(findings: readonly Finding[]): number {
  return findings.some(({ verdict }) => verdict === 'bad') ? 1 : 0
}
