import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'

/** Watches users' rows in usage_metrics. Each user is written for by the watched events alone. */
export interface VisibilityWatch {
  /** Begins to look; resolves after `end`, when all that was expected has been seen, with the times it took in ms. */
  start(): Promise<number[]>
  /** One more event of this user has been accepted, just now. */
  expect(userId: string): void
  /** Nothing more will be expected. */
  end(): void
}

interface Expected {
  readonly userId: string
  /** Events of the user that have to be visible. */
  readonly count: number
  readonly acceptedAtMs: number
}

// Prepared, and asked no oftener than the goal needs: planned anew every 3 ms it took a quarter of a core from what it measures.
const QUERY = {
  name: 'visible',
  text: `select user_id, sum(event_count)::float8 as events from public.usage_metrics
    where user_id = any($1::uuid[]) group by user_id`,
}
const POLL_MS = 10

/** Makes a watch over users that have no usage yet. It asks for those alone who are being waited for. */
export function watchVisibility(db: pg.Pool): VisibilityWatch {
  const accepted = new Map<string, number>()
  let open: Expected[] = []
  let hasEnded = false

  const look = async (): Promise<number[]> => {
    const asked = open
    const values = [asked.map(({ userId }) => userId)]
    const { rows } = await db.query<{ user_id: string; events: number }>({ ...QUERY, values })
    const seenAtMs = performance.now()
    const visible = new Map(rows.map(({ user_id, events }) => [user_id, events]))
    const isVisible = ({ userId, count }: Expected) => (visible.get(userId) ?? 0) >= count
    const seen = asked.filter(isVisible)
    open = open.filter((expected) => !seen.includes(expected))
    return seen.map(({ acceptedAtMs }) => seenAtMs - acceptedAtMs)
  }

  return {
    start: async () => {
      hasEnded = false
      const timesMs: number[] = []
      while (!hasEnded || open.length > 0) {
        if (open.length > 0) timesMs.push(...(await look()))
        await delay(POLL_MS)
      }
      return timesMs
    },
    expect: (userId) => {
      const count = (accepted.get(userId) ?? 0) + 1
      accepted.set(userId, count)
      open.push({ userId, count, acceptedAtMs: performance.now() })
    },
    end: () => {
      hasEnded = true
    },
  }
}
