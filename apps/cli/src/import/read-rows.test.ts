import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openRows } from './read-rows.ts'

it.each([
  ['a,b\n1,2\n3\n', 'at line 3: it has 1 fields, the header 2.'],
  ['a,b\n1,"2\n', 'a quoted field begins there and never ends.'],
  ['a,b\n1,2"3\n', 'a quotation mark stands where none may stand'],
])('%j is refused in words for people', async (text, words) => {
  const dir = mkdtempSync(join(tmpdir(), 'tollgate-csv-'))
  try {
    const file = join(dir, 'rows.csv')
    writeFileSync(file, text)
    const reading = (async () => {
      for await (const _ of openRows(file, 'csv').rows);
    })()
    await expect(reading).rejects.toThrow(words)
    await expect(reading).rejects.not.toThrow(/delimiter|relax|column_/i)
  } finally {
    rmSync(dir, { recursive: true })
  }
})
