import { download } from '../exports/download.ts'
import { type ExportLine, toCsv, toJson } from '../exports/tables.ts'
import { formatCount } from '../figures/format.ts'

interface ExportButtonsProps {
  /** Of the files, without an ending. */
  readonly name: string
  /** What is shown, in its order; asked when a file is wanted. */
  readonly lines: () => readonly ExportLine[]
  /** The same in columns of FOCUS. */
  readonly focus?: () => readonly ExportLine[]
  readonly count: number
  readonly isPrintable?: boolean
}

/** Files of exactly the rows that are shown, in the order in which they stand. */
export function ExportButtons({ name, lines, focus, count, isPrintable = false }: ExportButtonsProps) {
  return (
    <p class="exports">
      <span class="quiet">Export {count === 1 ? '1 row' : `${formatCount(BigInt(count))} rows`}</span>
      <button type="button" onClick={() => download(`${name}.csv`, 'text/csv', toCsv(lines()))}>
        CSV
      </button>
      <button type="button" onClick={() => download(`${name}.json`, 'application/json', toJson(lines()))}>
        JSON
      </button>
      {focus !== undefined && (
        <button type="button" onClick={() => download(`${name}-focus.csv`, 'text/csv', toCsv(focus()))}>
          FOCUS
        </button>
      )}
      {isPrintable && (
        <button type="button" onClick={() => print()}>
          Print
        </button>
      )}
    </p>
  )
}
