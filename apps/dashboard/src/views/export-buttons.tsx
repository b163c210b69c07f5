import type { UsageRow } from '../data/reports.ts'
import { download } from '../exports/download.ts'
import { type ExportContext, toCsv, toFocus, toJson } from '../exports/usage-exports.ts'

interface ExportButtonsProps {
  readonly rows: readonly UsageRow[]
  readonly context: ExportContext
}

/** Files of exactly the rows that are shown. */
export function ExportButtons({ rows, context }: ExportButtonsProps) {
  const plain = rows.map((row) => ({ ...row }))
  return (
    <p class="exports">
      <button type="button" onClick={() => download('usage.csv', 'text/csv', toCsv(plain))}>
        CSV
      </button>
      <button type="button" onClick={() => download('usage.json', 'application/json', toJson(rows))}>
        JSON
      </button>
      <button type="button" onClick={() => download('usage-focus.csv', 'text/csv', toCsv(toFocus(rows, context)))}>
        FOCUS
      </button>
      <button type="button" onClick={() => print()}>
        Print
      </button>
    </p>
  )
}
