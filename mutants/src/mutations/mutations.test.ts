import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { applyEdit } from '../apply-edit.ts'
import { MUTATIONS } from './index.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const read = (file: string): string => readFileSync(resolve(ROOT, file), 'utf8')

test('there are at least twelve, each under a name of its own', () => {
  expect(MUTATIONS.length).toBeGreaterThanOrEqual(12)
  expect(new Set(MUTATIONS.map(({ name }) => name)).size).toBe(MUTATIONS.length)
})

describe.each(MUTATIONS)('$name', ({ edits, test: { file, title, stands = title } }) => {
  test('fits the sources as they are, and changes them', () => {
    for (const edit of edits) expect(applyEdit(read(edit.file), edit)).not.toBe(read(edit.file))
  })
  test('is noticed by a test that exists', () => {
    expect(read(file)).toContain(stands)
  })
})
