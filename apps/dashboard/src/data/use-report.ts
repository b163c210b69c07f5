import type { SupabaseClient } from '@supabase/supabase-js'
import { useCallback, useContext, useEffect, useRef, useState } from 'preact/hooks'
import type { ReportName, Reports } from './reports.ts'
import { LiveContext } from './use-live.ts'

/** What is known of a report: `rows` undefined while the first answer is awaited; an error leaves the last rows. */
export interface Report<Row> {
  readonly rows: readonly Row[] | undefined
  readonly error: string | undefined
  readonly refresh: () => void
}

const POLL_MS = 5_000
// Where changes are announced; time alone changes something too (a period ends, a grant expires).
const HEARD_POLL_MS = 60_000

/** Calls a report function as the signed-in user. @throws Error with the database's message */
export async function callReport<Name extends ReportName>(
  client: SupabaseClient,
  name: Name,
  query: Reports[Name]['query'],
): Promise<Reports[Name]['row'][]> {
  const { data, error } = await client.rpc(name, query === undefined ? {} : { query })
  // What the browser says of a server that is away means nothing to people.
  if (error) throw new Error(error.message.startsWith('TypeError') ? 'the server does not answer.' : error.message)
  return data
}

/** Reads a report, again when a change is announced or every five seconds, while the page is looked at. */
export function useReport<Name extends ReportName>(
  client: SupabaseClient,
  name: Name,
  query: Reports[Name]['query'],
): Report<Reports[Name]['row']> {
  const key = JSON.stringify([name, query])
  const [state, setState] = useState<{ key: string; rows?: Reports[Name]['row'][]; error?: string }>({ key })
  const latest = useRef(key)
  latest.current = key

  const order = useRef({ asked: 0, answered: 0 })
  const refresh = useCallback(() => {
    const number = ++order.current.asked
    // An answer to another question comes too late, and so does one that a later one has overtaken.
    const isNews = (): boolean => {
      if (latest.current !== key || number < order.current.answered) return false
      order.current.answered = number
      return true
    }
    callReport(client, name, query).then(
      (rows) => isNews() && setState({ key, rows }),
      // What answered another question is no answer to this one.
      (error: Error) =>
        isNews() && setState((held) => ({ ...(held.key === key ? held : { key }), error: error.message })),
    )
  }, [key])

  const { turn, isHeard } = useContext(LiveContext)
  const heard = useRef(turn)
  useEffect(() => {
    const isAnnounced = heard.current !== turn
    heard.current = turn
    // Nobody looks at a hidden page; it asks when it is looked at again.
    if (!isAnnounced || document.visibilityState === 'visible') refresh()
  }, [refresh, turn])
  useEffect(() => {
    const refreshSeen = () => document.visibilityState === 'visible' && refresh()
    const timer = setInterval(refreshSeen, isHeard ? HEARD_POLL_MS : POLL_MS)
    // Whoever comes back to the page sees what has happened meanwhile at once.
    document.addEventListener('visibilitychange', refreshSeen)
    return () => {
      clearInterval(timer)
      document.removeEventListener('visibilitychange', refreshSeen)
    }
  }, [refresh, isHeard])
  const { rows, error } = state.key === key ? state : {}
  return { rows, error, refresh }
}

/** What was last known, while something newer is awaited: so that nothing jumps when a filter changes. */
export function useHeld<Value>(value: Value | undefined): Value | undefined {
  const held = useRef(value)
  if (value !== undefined) held.current = value
  return held.current
}
