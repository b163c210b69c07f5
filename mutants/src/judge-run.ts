import { z } from 'zod'
import { MutantError } from './mutation.ts'

const report = z.object({
  testResults: z.array(z.object({ assertionResults: z.array(z.object({ title: z.string(), status: z.string() })) })),
})

/** What became of a test in a run: of several with the same title the worst. */
export type Verdict = 'passed' | 'failed'

/**
 * Reads the JSON report of a vitest run. @throws MutantError when the test was not run: neither a pass nor a failure, which
 * is what a mutation that breaks everything (a file that cannot be read, a database that does not start) leads to
 */
export function judgeRun(json: unknown, title: string): Verdict {
  const statuses = report
    .parse(json)
    .testResults.flatMap(({ assertionResults }) => assertionResults)
    .filter((test) => test.title === title)
    .map(({ status }) => status)
  if (statuses.includes('failed')) return 'failed'
  if (statuses.includes('passed')) return 'passed'
  throw new MutantError(`the test was not run: ${title}`)
}
