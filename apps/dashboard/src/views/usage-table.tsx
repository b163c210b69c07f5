import { useState } from 'preact/hooks'
import { groupOf, totalsOf } from '../chart/stack.ts'
import type { UsageRow } from '../data/reports.ts'
import { formatBucketFully, formatCalls, formatCount, formatExactMoney } from '../figures/format.ts'
import { nextSort, readSort } from '../figures/sort-usage.ts'
import { type Filters, type Group, SORT_COLUMNS, type Sort, type SortColumn } from '../filters/filters.ts'
import { Unpriced } from './states.tsx'

interface UsageTableProps {
  /** In the order of `sort`. */
  readonly rows: readonly UsageRow[]
  readonly sort: Sort
  readonly by: Group
  readonly timeZone: string
  readonly change: (part: Partial<Filters>) => void
}

const NUMBERS: ReadonlySet<SortColumn> = new Set(['tokens_used', 'cost_usd', 'message_count'])
const HEADINGS: Record<SortColumn, string> = {
  bucket: 'When',
  group: 'What',
  tokens_used: 'LLM tokens',
  cost_usd: 'Cost',
  message_count: 'Messages',
}

// More than anybody reads at once would hold the page up; totals and exports are of all rows.
const ROWS_AT_A_TIME = 500

/** The chart's figures, exact, sortable by each column; the last row adds them up. */
export function UsageTable({ rows, sort, by, timeZone, change }: UsageTableProps) {
  const [count, setCount] = useState(ROWS_AT_A_TIME)
  const order = readSort(sort)
  const totals = totalsOf(rows)
  return (
    <div class="scroll tall">
      <table data-table="usage">
        <thead>
          <tr>
            {SORT_COLUMNS.map((column) => (
              <th
                key={column}
                scope="col"
                class={NUMBERS.has(column) ? 'number' : undefined}
                aria-sort={order.column !== column ? 'none' : order.isUp ? 'ascending' : 'descending'}
              >
                <button type="button" class="link" onClick={() => change({ sort: nextSort(sort, column) })}>
                  {HEADINGS[column]}
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, count).map((row) => (
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
          {rows.length > count && (
            <tr>
              <td colSpan={SORT_COLUMNS.length}>
                <button type="button" class="link" onClick={() => setCount(count + ROWS_AT_A_TIME)}>
                  Show more of {formatCount(BigInt(rows.length))} rows
                </button>
              </td>
            </tr>
          )}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">All</th>
            <td>{by !== 'token_kind' && totals.unpriced > 0n && `${formatCalls(totals.unpriced)} unpriced`}</td>
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
