import { expect, test } from 'vitest'
import { toCsv } from './to-csv.ts'

test.each([
  ['=1+1', "'=1+1"],
  ['+1', "'+1"],
  ['-1+cmd', "'-1+cmd"],
  ['@SUM(A1)', "'@SUM(A1)"],
  ['\tx', "'\tx"],
  ['=a,b', `"'=a,b"`],
  ['say "hi"', '"say ""hi"""'],
  ['gpt-4o', 'gpt-4o'],
])('text %j is the cell %j', (value, written) => {
  expect(toCsv(['a'], [{ a: value }])).toBe(`a\r\n${written}\r\n`)
})

test('numbers stay numbers, and what is not known is empty', () => {
  expect(toCsv(['a', 'b', 'c', 'd'], [{ a: -5, b: null, c: '0.5', d: '-0.25' }])).toBe('a,b,c,d\r\n-5,,0.5,-0.25\r\n')
})
