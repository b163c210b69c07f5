import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { readWindow, writeWindow } from './window-file.ts'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tollgate-demo-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

it('keeps a window for each seed', () => {
  const file = join(dir, 'demo.json')
  writeWindow(file, 1, { startMs: 1_000, endMs: 2_000 })
  writeWindow(file, 2, { startMs: 3_000, endMs: 4_000 })
  expect(readWindow(file, 1)).toEqual({ startMs: 1_000, endMs: 2_000 })
  expect(readWindow(file, 2)).toEqual({ startMs: 3_000, endMs: 4_000 })
  expect(readWindow(file, 3)).toBeNull()
})

it('takes a missing or broken file for none', () => {
  const file = join(dir, 'demo.json')
  expect(readWindow(file, 1)).toBeNull()
  writeFileSync(file, '{ "1": { "start": "soon" }, ')
  expect(readWindow(file, 1)).toBeNull()
  writeFileSync(file, '{ "1": { "start": "soon", "end": "later" } }')
  expect(readWindow(file, 1)).toBeNull()
})
