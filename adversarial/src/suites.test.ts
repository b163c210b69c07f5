import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { SUITES } from './suites.ts'

describe.each(SUITES)('$name', ({ files }) => {
  test.each([...files])('%s is there', (file) => {
    expect(existsSync(resolve(import.meta.dirname, '../..', file))).toBe(true)
  })
})
