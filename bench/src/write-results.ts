import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BenchError } from './bench-error.ts'
import { renderMarkdown, renderRatios } from './report/render-markdown.ts'
import type { BenchResult } from './report/report.ts'

const BEGIN = '<!-- bench: begin -->'
const END = '<!-- bench: end -->'

/** Keeps a result: `<date>.json` with everything, `latest.md` with the tables. */
export function writeResults(dir: string, result: BenchResult): void {
  mkdirSync(dir, { recursive: true })
  // A colon is no character of a file name everywhere.
  const name = result.date.slice(0, 19).replaceAll(':', '-')
  writeFileSync(join(dir, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`)
  writeFileSync(join(dir, 'latest.md'), renderMarkdown(result))
}

/** Puts the table of ratios into a file, between its two marks. @throws BenchError for a file without them */
export function writeRatios(file: string, result: BenchResult): void {
  const text = readFileSync(file, 'utf8')
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)]
  if (from < 0 || to < from) throw new BenchError(`${file} has no place for the table (${BEGIN} … ${END}).`)
  const table = `${BEGIN}\n\n${renderRatios(result)}\n\n`
  writeFileSync(file, text.slice(0, from) + table + text.slice(to))
}
