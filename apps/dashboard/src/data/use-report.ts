import type { SupabaseClient } from '@supabase/supabase-js'
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import type { ReportName, Reports } from './reports.ts'

/** What is known of a report: `rows` undefined while the first answer is awaited; an error leaves the last rows. */
export interface Report<Row> {
  readonly rows: readonly Row[] | undefined
  readonly error: string | undefined
  readonly refresh: () => void
}

const POLL_MS = 5_000

/** Calls a report function as the signed-in user. @throws Error with the database's message */
export async function callReport<Name extends ReportName>(
  client: SupabaseClient,
  name: Name,
  query: Reports[Name]['query'],
): Promise<Reports[Name]['row'][]> {
  const { data, error } = await client.rpc(name, query === undefined ? {} : { query })
  if (error) throw new Error(error.message)
  return data
}

/** Reads a report, again every five seconds while the page is looked at; `query` undefined: not yet. */
export function useReport<Name extends ReportName>(
  client: SupabaseClient,
  name: Name,
  query: Reports[Name]['query'] | 'later',
): Report<Reports[Name]['row']> {
  const key = JSON.stringify([name, query])
  const [state, setState] = useState<{ key: string; rows?: Reports[Name]['row'][]; error?: string }>({ key })
  const latest = useRef(key)
  latest.current = key

  const refresh = useCallback(() => {
    if (query === 'later') return
    callReport(client, name, query).then(
      // An answer to an earlier question comes too late.
      (rows) => latest.current === key && setState({ key, rows }),
      (error: Error) => latest.current === key && setState((held) => ({ ...held, key, error: error.message })),
    )
  }, [key])

  useEffect(() => {
    refresh()
    const timer = setInterval(() => document.visibilityState === 'visible' && refresh(), POLL_MS)
    return () => clearInterval(timer)
  }, [refresh])
  return { rows: state.key === key ? state.rows : undefined, error: state.error, refresh }
}
