import { useState } from 'preact/hooks'
import { groupOf, totalsOf } from '../chart/stack.ts'
import type { UsageRow } from '../data/reports.ts'
import { formatBucketFully, formatCount, formatExactMoney } from '../figures/format.ts'
import { toPicodollars } from '../figures/money.ts'
import type { Filters, Group } from '../filters/filters.ts'
import { Unpriced } from './states.tsx'

interface UsageTableProps {
  readonly rows: readonly UsageRow[]
  readonly by: Group
  readonly timeZone: string
  readonly change: (part: Partial<Filters>) => void
}

type Column = 'bucket' | 'group' | 'tokens_used' | 'cost_usd' | 'message_count'
const NUMBERS: ReadonlySet<Column> = new Set(['tokens_used', 'cost_usd', 'message_count'])
const HEADINGS: Record<Column, string> = {
  bucket: 'When',
  group: 'What',
  tokens_used: 'LLM tokens',
  cost_usd: 'Cost',
  message_count: 'Messages',
}

/** The chart's figures, exact, sortable by each column; the last row adds them up. */
export function UsageTable({ rows, by, timeZone, change }: UsageTableProps) {
  const [order, setOrder] = useState<{ column: Column; isUp: boolean }>({ column: 'bucket', isUp: false })
  const sorted = [...rows].sort((one, two) => compare(one, two, order.column, by) * (order.isUp ? 1 : -1))
  const totals = totalsOf(rows)
  const sort = (column: Column): void => setOrder({ column, isUp: order.column === column ? !order.isUp : false })
  return (
    <div class="scroll tall">
      <table data-table="usage">
        <thead>
          <tr>
            {(Object.keys(HEADINGS) as Column[]).map((column) => (
              <th
                key={column}
                scope="col"
                class={NUMBERS.has(column) ? 'number' : undefined}
                aria-sort={order.column !== column ? 'none' : order.isUp ? 'ascending' : 'descending'}
              >
                <button type="button" class="link" onClick={() => sort(column)}>
                  {HEADINGS[column]}
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sorted.map((row) => (
            <tr key={`${row.bucket} ${groupOf(row, by).key}`}>
              <th scope="row">{formatBucketFully(row.bucket ?? '', timeZone)}</th>
              <td>
                <GroupName {...{ row, by, change }} />
              </td>
              <td class="number">{formatCount(row.tokens_used)}</td>
              <td class="number">
                {by === 'token_kind' ? '–' : formatExactMoney(row.cost_usd)}
                {by !== 'token_kind' && <Unpriced usd={row.cost_usd} count={row.unpriced_events} />}
              </td>
              <td class="number">{by === 'token_kind' ? '–' : formatCount(row.message_count)}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">All</th>
            <td>{by !== 'token_kind' && totals.unpriced > 0n && `${formatCount(totals.unpriced)} calls unpriced`}</td>
            <td class="number" data-total="tokens">
              {formatCount(totals.tokens)}
            </td>
            <td class="number" data-total="cost">
              {by === 'token_kind' ? '–' : formatExactMoney(totals.cost)}
            </td>
            <td class="number" data-total="messages">
              {by === 'token_kind' ? '–' : formatCount(totals.messages)}
            </td>
          </tr>
        </tfoot>
      </table>
    </div>
  )
}

function GroupName({ row, by, change }: { row: UsageRow; by: Group; change: UsageTableProps['change'] }) {
  const { key, label } = groupOf(row, by)
  if (by === 'token_kind') return <>{label}</>
  return (
    <button type="button" class="link" onClick={() => change(by === 'model' ? { model: key } : { user: key })}>
      {label}
    </button>
  )
}

function compare(one: UsageRow, two: UsageRow, column: Column, by: Group): number {
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
