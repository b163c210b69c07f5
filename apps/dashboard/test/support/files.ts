import { readFileSync } from 'node:fs'
import type { Locator } from 'playwright-core'

/** What a button hands over as a file. */
export async function takeFile(within: Locator, name: string): Promise<string> {
  const clicked = within.getByRole('button', { name, exact: true }).click()
  const [download] = await Promise.all([within.page().waitForEvent('download'), clicked])
  return readFileSync(await download.path(), 'utf8')
}

/** Lines of a CSV file whose cells hold no commas. */
export function readCsv(text: string): Record<string, string | undefined>[] {
  const [head = '', ...lines] = text.trim().split('\r\n')
  const columns = head.split(',')
  return lines.map((line) => {
    const cells = line.split(',')
    return Object.fromEntries(columns.map((column, at) => [column, cells[at]]))
  })
}

/** A count as the page writes it. */
export const separated = (count: string | bigint): string => new Intl.NumberFormat('en').format(BigInt(count))

/** What stands in a column of a table, from the first row to the last. */
export const columnOf = (within: Locator, column: number): Promise<string[]> =>
  within.locator(`tbody tr > :nth-child(${column})`).allTextContents()
