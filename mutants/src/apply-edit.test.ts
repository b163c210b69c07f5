import { describe, expect, test } from 'vitest'
import { applyEdit } from './apply-edit.ts'

describe('an edit', () => {
  const edit = { file: 'a.ts', find: 'a + b', replace: '$& - $1' }
  test('is made where its text stands once, and taken literally', () => {
    expect(applyEdit('x = a + b', edit)).toBe('x = $& - $1')
  })
  test.each(['x = 1', 'x = a + b, y = a + b'])('is refused in %s', (text) => {
    expect(() => applyEdit(text, edit)).toThrow('a.ts')
  })
})
