import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'csv-parse/sync'
import { DemoError } from './demo-error.ts'

/** One request of the trace. `offsetMs` counts from the first request; the counts are LLM tokens. */
export interface TraceRequest {
  /** 1 for the first request. */
  readonly line: number
  readonly offsetMs: number
  readonly inputTokens: number
  readonly outputTokens: number
}

/** The copy of the trace that comes with the repository; data/README.md says where it is from. */
const TRACE_FILE = join(import.meta.dirname, '../../data/azure-llm-conversations-2023.csv')

const COLUMNS = ['TIMESTAMP', 'ContextTokens', 'GeneratedTokens']
const COUNT = /^\d{1,9}$/
const TIME = /^(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2}\.\d{3})\d*$/

function readTime(text: string, line: number): number {
  const [, day, time] = TIME.exec(text) ?? []
  const ms = Date.parse(`${day}T${time}Z`)
  if (Number.isNaN(ms)) throw new DemoError(`The trace has no readable time in request ${line}: ${text}`)
  return ms
}

function readCount(text: string, line: number): number {
  if (!COUNT.test(text)) throw new DemoError(`The trace has no whole number of LLM tokens in request ${line}: ${text}`)
  return Number(text)
}

/** Reads the trace's CSV text; counts are exact, times are kept to the millisecond. Throws on anything unexpected. */
export function parseTrace(csv: string): TraceRequest[] {
  const [header, ...rows] = parse(csv, { bom: true, skip_empty_lines: true })
  if (header?.join() !== COLUMNS.join()) throw new DemoError(`The trace's columns are not ${COLUMNS.join(', ')}.`)
  let firstMs: number | undefined
  return rows.map(([time = '', input = '', output = ''], index) => {
    const line = index + 1
    const ms = readTime(time, line)
    firstMs ??= ms
    if (ms < firstMs) throw new DemoError(`The trace starts later than its request ${line}.`)
    return { line, offsetMs: ms - firstMs, inputTokens: readCount(input, line), outputTokens: readCount(output, line) }
  })
}

/** Reads the trace that comes with the repository. */
export async function readTrace(file = TRACE_FILE): Promise<TraceRequest[]> {
  return parseTrace(await readFile(file, 'utf8'))
}
