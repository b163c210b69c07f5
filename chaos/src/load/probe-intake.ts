import { type Member, makeEvent } from '@tollgate/bench/load'
import { z } from 'zod'
import type { Probe } from '../faults/until-well.ts'
import type { LoadContext } from './load-context.ts'

const recorded = z.object({ accepted: z.literal(1), recorded: z.literal(1) })
const WAIT_SECONDS = 5

/** Sends one event to one instance and asks for its outcome after the commit. Of one that is not answered nobody knows. */
export function createProbe({ chaos, book }: Pick<LoadContext, 'chaos' | 'book'>, members: readonly Member[]): Probe {
  const { ingestKey } = chaos.stack.describe()
  return async (tokenApi) => {
    const event = makeEvent(members)
    book.note([event])
    try {
      const response = await fetch(`${tokenApi}/v1/events`, {
        method: 'POST',
        headers: {
          ...{ authorization: `Bearer ${ingestKey}`, 'content-type': 'application/cloudevents+json' },
          prefer: `wait=${WAIT_SECONDS}`,
        },
        body: JSON.stringify(event),
        signal: AbortSignal.timeout((WAIT_SECONDS + 2) * 1_000),
      })
      const body: unknown = await response.json()
      if (response.ok) book.noteAnswer([event])
      return response.status === 200 && recorded.safeParse(body).success
    } catch {
      return false
    }
  }
}
