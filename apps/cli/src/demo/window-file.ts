import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { TimeWindow } from './shift-times.ts'

/*
 * The window is kept beside the stack's data, by seed, so that a second run sends the same events to the last
 * millisecond. `start --fresh` removes it together with the data.
 */

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

function readAll(file: string): Record<string, unknown> {
  try {
    const content: unknown = JSON.parse(readFileSync(file, 'utf8'))
    return isRecord(content) ? content : {}
  } catch {
    return {}
  }
}

/** Reads the window of an earlier run; null when there is none, or none that can be read. */
export function readWindow(file: string, seed: number): TimeWindow | null {
  const entry = readAll(file)[seed]
  if (!isRecord(entry)) return null
  const startMs = Date.parse(String(entry.start))
  const endMs = Date.parse(String(entry.end))
  return startMs <= endMs ? { startMs, endMs } : null
}

/** Keeps the window for later runs. */
export function writeWindow(file: string, seed: number, { startMs, endMs }: TimeWindow): void {
  const entry = { start: new Date(startMs).toISOString(), end: new Date(endMs).toISOString() }
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify({ ...readAll(file), [seed]: entry }, null, 2)}\n`)
}
