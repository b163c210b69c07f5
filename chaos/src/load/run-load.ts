import { type LimitRun, spendUnderFaults } from '@tollgate/bench/holds'
import { addPopulation, type Member } from '@tollgate/bench/load'
import { untilAborted } from '@tollgate/bench/until-aborted'
import { createRandom } from '../schedule/random.ts'
import type { ChaosStack } from '../stack/open-chaos-stack.ts'
import { openBook } from './book.ts'
import type { LoadContext } from './load-context.ts'
import { type OrganizationTerms, repeatTerms, runOperator } from './run-operator.ts'
import { sendUsage } from './send-usage.ts'
import { useLogins } from './use-logins.ts'

/** How much is done. */
export interface LoadOptions {
  readonly seed: number
  /** About how long, in seconds: limits are chosen so that usage comes to pass some of them. */
  readonly seconds: number
}

/** The load of a run. */
export interface Load {
  readonly context: LoadContext
  readonly members: readonly Member[]
  readonly organizations: readonly OrganizationTerms[]
  readonly counts: ReadonlyMap<string, number>
  /** Resolves when everybody has brought to an end what was begun. Rejects when a client gives up. */
  readonly done: Promise<LimitRun>
  /** Clients that have not come to their end. */
  readonly busy: ReadonlySet<string>
  /** Begins nothing more. */
  stop(): void
  /** Says once more what holds; when everything answers. */
  settle(): Promise<void>
}

const SENDERS = 4
const SENDER_PAUSE_MS = 300
// About what the senders make of it, in LLM tokens a second and organization.
const TOKENS_A_SECOND = 30_000
const SHARES = [0.3, 0.85, 1.1, 1.6, 4, null] as const
const SPENDERS = 6
const HOLD_TOKENS_A_SECOND = 8_000

/** Begins the load: backends, users, an operator, and callers that hold LLM tokens before they use them. */
export async function runLoad(chaos: ChaosStack, { seed, seconds }: LoadOptions): Promise<Load> {
  const stopping = new AbortController()
  const counts = new Map<string, number>()
  const context: LoadContext = {
    chaos,
    book: openBook(),
    random: createRandom(seed ^ 0x5eed),
    stopping: stopping.signal,
    troubles: new Map(),
    count: (what, times = 1) => void counts.set(what, (counts.get(what) ?? 0) + times),
  }
  const members: Member[] = []
  const organizations: OrganizationTerms[] = []
  for (const share of SHARES) {
    const limit = share === null ? null : Math.round(share * seconds * TOKENS_A_SECOND)
    const added = await addPopulation(chaos.db, { organizations: 1, usersEach: 8, sessionsEach: 3, limit })
    members.push(...added)
    organizations.push({ id: added[0]?.organizationId ?? '', limit, granted: 0, grants: [], act: null })
  }
  const busy = new Set<string>()
  const named = <Outcome>(name: string, work: Promise<Outcome>): Promise<Outcome> => {
    busy.add(name)
    return work.finally(() => busy.delete(name))
  }
  const clients = [
    ...Array.from({ length: SENDERS }, (_, index) =>
      named(`sender ${index}`, sendUsage(context, members, SENDER_PAUSE_MS)),
    ),
    ...chaos.stack.describe().users.map((person) => named(person.email, useLogins(context, person))),
    named('operator', runOperator(context, organizations)),
  ]
  const spending = named('holds', spendHolds(context, seconds))
  const done = Promise.all([spending, ...clients]).then(([run]) => run)
  // Whoever waits for it later hears of it; until then it is nobody's unhandled rejection.
  done.catch(() => stopping.abort())
  return {
    ...{ context, members, organizations, counts, done, busy },
    stop: () => stopping.abort(),
    settle: () => repeatTerms(context, organizations),
  }
}

async function spendHolds({ chaos, book, stopping }: LoadContext, seconds: number): Promise<LimitRun> {
  const limit = Math.round(seconds * HOLD_TOKENS_A_SECOND)
  const members = await addPopulation(chaos.db, { organizations: 1, usersEach: 8, sessionsEach: 2, limit })
  const events: Parameters<typeof book.note>[0][number][] = []
  const run = await spendUnderFaults(
    chaos.db,
    limit,
    {
      urls: chaos.tokenApis,
      key: chaos.stack.describe().ingestKey,
      members,
      clients: SPENDERS,
      seconds,
      onEvent: (event) => {
        book.note([event])
        events.push(event)
      },
    },
    () => untilAborted(stopping),
  )
  // Every commit was answered, or this line is not reached.
  book.noteAnswer(events)
  return run
}
