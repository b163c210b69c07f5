import { toPicodollars } from '@tollgate/shared/quota/for-pages'
import { groupOf } from '../chart/stack.ts'
import type { UsageRow } from '../data/reports.ts'
import type { Group, Sort, SortColumn } from '../filters/filters.ts'

/** The column of an order, and whether it rises. */
export const readSort = (sort: Sort): { readonly column: SortColumn; readonly isUp: boolean } => {
  const isUp = !sort.startsWith('-')
  return { column: (isUp ? sort : sort.slice(1)) as SortColumn, isUp }
}

/** The order that a click on a column's heading means: names rise at first, figures and time fall; again turns it round. */
export function nextSort(sort: Sort, clicked: SortColumn): Sort {
  const { column, isUp } = readSort(sort)
  const rises = column === clicked ? !isUp : clicked === 'group'
  return rises ? clicked : `-${clicked}`
}

/** Rows in an order; those that are equal in it stay as the report had them. */
export function sortUsage(rows: readonly UsageRow[], sort: Sort, by: Group): readonly UsageRow[] {
  const { column, isUp } = readSort(sort)
  return [...rows].sort((one, two) => compare(one, two, column, by) * (isUp ? 1 : -1))
}

function compare(one: UsageRow, two: UsageRow, column: SortColumn, by: Group): number {
  switch (column) {
    case 'bucket':
      return (
        (one.bucket ?? '').localeCompare(two.bucket ?? '') || Number(BigInt(one.tokens_used) - BigInt(two.tokens_used))
      )
    case 'group':
      return groupOf(one, by).label.localeCompare(groupOf(two, by).label)
    case 'cost_usd':
      // What has no price is less than anything that has one.
      return Number(toPicodollars(one.cost_usd ?? '-1') - toPicodollars(two.cost_usd ?? '-1'))
    case 'tokens_used':
    case 'message_count':
      return Number(BigInt(one[column]) - BigInt(two[column]))
  }
}
