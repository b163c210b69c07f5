import type { SupabaseClient } from '@supabase/supabase-js'
import { useState } from 'preact/hooks'
import type { Reports } from './reports.ts'
import { callReport, type Report, useReport } from './use-report.ts'

/** The reports that come in pages: each row has the cursor of the rows after it. */
type PagedName = {
  [Name in keyof Reports]: Reports[Name]['row'] extends { cursor: string } ? Name : never
}[keyof Reports]

/** The pages that were asked for so far. */
export interface Pages<Row> extends Report<Row> {
  readonly hasMore: boolean
  readonly showMore: () => void
}

/** Reads a report page by page; the first page is kept fresh, later ones are as they were when asked for. */
export function usePages<Name extends PagedName>(
  client: SupabaseClient,
  name: Name,
  query: Reports[Name]['query'] & { readonly limit: number },
): Pages<Reports[Name]['row']> {
  type Row = Reports[Name]['row']
  const first = useReport(client, name, query)
  const key = JSON.stringify([name, query])
  const [later, setLater] = useState<{ key: string; rows: readonly Row[]; isOver: boolean; error?: string }>({
    ...{ key, rows: [], isOver: false },
  })
  const more = later.key === key ? later : { rows: [], isOver: false, error: undefined }
  const rows = first.rows && [...first.rows, ...withoutRepeats(first.rows, more.rows)]
  const showMore = (): void => {
    const after = rows?.at(-1)?.cursor
    if (after === undefined) return
    callReport(client, name, { ...query, after }).then(
      (page) => setLater({ key, rows: [...more.rows, ...page], isOver: page.length < query.limit }),
      (error: Error) => setLater({ ...more, key, error: error.message }),
    )
  }
  const hasMore = rows !== undefined && rows.length >= query.limit && !more.isOver
  return { rows, error: more.error ?? first.error, refresh: first.refresh, hasMore, showMore }
}

// A newer first page may have pushed rows into what was asked for before.
function withoutRepeats<Row extends { cursor: string }>(first: readonly Row[], later: readonly Row[]): readonly Row[] {
  const shown = new Set(first.map(({ cursor }) => cursor))
  return later.filter(({ cursor }) => !shown.has(cursor))
}
