import { describe, expect, it } from 'vitest'
import { createRowWriter, type RowFormat } from './row-writer.ts'

async function writeRows(format: RowFormat, rows: Record<string, unknown>[]): Promise<string> {
  let text = ''
  const write = createRowWriter(format, async (part) => {
    text += part
  })
  for (const row of rows) await write(row)
  return text
}

describe('createRowWriter', () => {
  it.each([
    ['=1+1', "'=1+1"],
    ['+cmd', "'+cmd"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['-2+3', "'-2+3"],
    ['\t=1', "'\t=1"],
    ['=HYPERLINK("x","y")', '"\'=HYPERLINK(""x"",""y"")"'],
    ['-12.5', '-12.5'],
    ['a,b', '"a,b"'],
    [null, ''],
  ])('writes %j so that no spreadsheet runs it', async (value, cell) => {
    expect(await writeRows('csv', [{ c: value }])).toBe(`c\r\n${cell}\r\n`)
  })

  it('keeps the columns of the first row', async () => {
    expect(
      await writeRows('csv', [
        { a: 1, b: 2 },
        { b: 4, a: 3 },
      ]),
    ).toBe('a,b\r\n1,2\r\n3,4\r\n')
  })

  it('writes NDJSON unchanged', async () => {
    expect(await writeRows('ndjson', [{ a: '=1' }, { a: null }])).toBe('{"a":"=1"}\n{"a":null}\n')
  })
})
