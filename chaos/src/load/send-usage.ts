import { randomUUID } from 'node:crypto'
import { type Member, makeEvent, type UsageEvent } from '@tollgate/bench/load'
import { connectServer, type ServerConnection, type TollgateEvent } from '@tollgate/client'
import { balanceRequests } from './balance-requests.ts'
import type { SentCorrection } from './book.ts'
import { type LoadContext, pause } from './load-context.ts'

const MAX_BATCH = 40
const MAX_CHOSEN = 400
const DAY_MS = 86_400_000
const BUDGET_MS = 240_000

/** Draws an event; some are of the days before. */
function drawEvent({ random }: LoadContext, members: readonly Member[]): UsageEvent {
  const event = makeEvent(members)
  const lateMs = random.happens(10) ? random.between(0, 3) * DAY_MS : 0
  return { ...event, time: new Date(Date.now() - lateMs).toISOString() }
}

/** A correction of an event: other counts, or none at all. */
function drawCorrection(
  { random }: LoadContext,
  original: UsageEvent,
  revision: number,
): { sent: SentCorrection; event: TollgateEvent } {
  const most = random.happens(20) ? 0 : 3_000
  const none = { cache_read_input_tokens: 0, cache_creation_input_tokens: 0, reasoning_output_tokens: 0 }
  const counts = { input_tokens: random.between(0, most), output_tokens: random.between(0, most), ...none }
  const { organization_id } = original.data
  const corrects = { source: original.source, id: original.id }
  return {
    sent: { revision, counts, isAnswered: false },
    event: {
      type: 'tollgate.usage.corrected.v1',
      source: 'chaos-corrections',
      id: randomUUID(),
      time: new Date().toISOString(),
      data: { organization_id, corrects, revision, ...counts },
    },
  }
}

/**
 * One backend: sends batches of usage until it shall stop, corrects some of it (also before the original is sent), and sends
 * some again later, in another order and mixed with other batches.
 */
export async function sendUsage(context: LoadContext, members: readonly Member[], pauseMs: number): Promise<void> {
  const { chaos, random, stopping, count } = context
  const { ingestKey } = chaos.stack.describe()
  const server = connectServer({
    baseUrl: chaos.tokenApis[0] ?? '',
    key: ingestKey,
    fetch: balanceRequests(random.shuffled(chaos.tokenApis)),
  })
  const sent: UsageEvent[] = []
  while (!stopping.aborted) {
    const events = Array.from({ length: random.between(1, MAX_BATCH) }, () => drawEvent(context, members))
    // Known before it is sent, so that a correction can overtake it.
    if (random.happens(5)) await correct(context, server, random.oneOf(events), 1)
    await send(context, server, events)
    sent.push(...events)
    if (sent.length > MAX_CHOSEN) sent.splice(0, sent.length - MAX_CHOSEN)
    if (random.happens(15)) await correct(context, server, random.oneOf(sent), random.between(1, 5))
    if (random.happens(15)) {
      const again = random.shuffled(sent).slice(0, MAX_BATCH)
      count('events sent again', again.length)
      await send(context, server, again)
    }
    await pause(random.between(pauseMs / 2, (pauseMs * 3) / 2), stopping)
  }
}

async function send(context: LoadContext, server: ServerConnection, events: readonly UsageEvent[]): Promise<void> {
  const { book, random, count } = context
  book.note(events)
  const waitSeconds = random.happens(20) ? 2 : 0
  const { accepted, rejected } = await server.sendEvents(events, { waitSeconds, budgetMs: BUDGET_MS })
  book.noteAnswer(events)
  count('requests with events')
  for (const { id, reason } of rejected) book.violations.push(`event ${id} was rejected: ${reason}`)
  if (accepted !== events.length) book.violations.push(`${accepted} of ${events.length} events were accepted`)
}

async function correct(context: LoadContext, server: ServerConnection, original: UsageEvent, revision: number) {
  const { sent, event } = drawCorrection(context, original, revision)
  if (!context.book.noteCorrection(original, sent)) return
  const { rejected } = await server.sendEvents([event], { budgetMs: BUDGET_MS })
  sent.isAnswered = true
  context.count('corrections')
  for (const { reason } of rejected)
    context.book.violations.push(`correction of ${original.id} was rejected: ${reason}`)
}
