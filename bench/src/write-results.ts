import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BenchResult } from './report/report.ts'

/** Keeps a result: `<date>.json` with everything, `latest.md` with the tables. */
export function writeResults(dir: string, result: BenchResult, markdown: string): void {
  mkdirSync(dir, { recursive: true })
  // A colon is no character of a file name everywhere.
  const name = result.date.slice(0, 19).replaceAll(':', '-')
  writeFileSync(join(dir, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`)
  writeFileSync(join(dir, 'latest.md'), markdown)
}
