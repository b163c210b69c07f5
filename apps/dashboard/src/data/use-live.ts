import type { SupabaseClient } from '@supabase/supabase-js'
import { createContext } from 'preact'
import { useContext, useEffect, useState } from 'preact/hooks'

/** How reports are kept fresh: `turn` changes when something was announced; without announcements they ask more often. */
export interface Live {
  readonly turn: number
  readonly isHeard: boolean
}

/** How fresh the reports beneath are kept. */
export const LiveContext = createContext<Live>({ turn: 0, isHeard: false })

/** Whether Supabase's Realtime can be reached at all. */
export const RealtimeContext = createContext(true)

// Where it was heard before it is tried again soon; where it never was, as on a project without Realtime, seldom.
const FIRST_RETRY_MS = 60_000
const LAST_RETRY_MS = 900_000

/**
 * Listens to an organization's private Realtime channel. Where there is none, or the user may not listen, nothing is heard
 * and the reports ask by themselves; it is tried again a quarter of an hour later. A channel that was heard and is lost is tried
 * again after a minute, then ever more seldom.
 */
export function useLive(client: SupabaseClient, organizationId: string): Live {
  const [live, setLive] = useState<Live>({ turn: 0, isHeard: false })
  const hasRealtime = useContext(RealtimeContext)
  useEffect(() => {
    if (!hasRealtime) return
    let retryMs = LAST_RETRY_MS
    let timer: ReturnType<typeof setTimeout> | undefined
    let leave = (): void => undefined
    // What fails after the page went on to another organization must not bring this one's channel back.
    let isOver = false
    const listen = async (): Promise<void> => {
      let isLeft = false
      leave = () => {
        isLeft = true
      }
      await client.realtime.setAuth()
      if (isLeft) return
      const channel = client.channel(`tollgate:${organizationId}`, { config: { private: true } })
      leave = () => {
        // Leaving is a change of status itself, which must not be taken for another failure.
        isLeft = true
        void client.removeChannel(channel)
      }
      channel
        .on('broadcast', { event: 'changed' }, () => setLive(({ turn }) => ({ turn: turn + 1, isHeard: true })))
        .subscribe((status) => {
          if (isLeft) return
          if (status !== 'SUBSCRIBED') return retryLater()
          retryMs = FIRST_RETRY_MS
          // What was announced before is asked for once.
          setLive(({ turn }) => ({ turn: turn + 1, isHeard: true }))
        })
    }
    const retryLater = (): void => {
      if (isOver) return
      leave()
      setLive(({ turn }) => ({ turn, isHeard: false }))
      timer = setTimeout(() => listen().catch(retryLater), retryMs)
      retryMs = Math.min(retryMs * 2, LAST_RETRY_MS)
    }
    listen().catch(retryLater)
    return () => {
      isOver = true
      clearTimeout(timer)
      leave()
    }
  }, [client, organizationId, hasRealtime])
  return live
}
