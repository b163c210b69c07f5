import type { OrganizationStory } from './close-gates.ts'
import type { DemoResult, EventCounts } from './demo-result.ts'
import { formatCount } from './format.ts'
import type { BatchAnswer } from './post-batch.ts'
import type { BookEntry, Figures, TokenSums } from './read-figures.ts'
import { BOOKS } from './read-figures.ts'

/** Adds up the events of all answers, which is the replayed part of the file. */
export function sumFile(answers: readonly Pick<BatchAnswer, 'batch'>[]): TokenSums {
  const sums = { events: 0n, input: 0n, output: 0n, total: 0n }
  for (const { batch } of answers) {
    for (const { inputTokens, outputTokens } of batch.events) {
      sums.events += 1n
      sums.input += BigInt(inputTokens)
      sums.output += BigInt(outputTokens)
    }
  }
  return { ...sums, total: sums.input + sums.output }
}

/** Counts what became of the events: from the answers, and from the ledger's ids before and after. */
export function countEvents(
  answers: readonly BatchAnswer[],
  before: ReadonlySet<string>,
  after: ReadonlySet<string>,
): EventCounts {
  const ids = answers.flatMap(({ batch }) => batch.events.map(({ id }) => id))
  const rejected = answers.flatMap((answer) => answer.rejected)
  const rejectedReasons: Record<string, number> = {}
  for (const { reason } of rejected)
    rejectedReasons[reason ?? 'unknown'] = (rejectedReasons[reason ?? 'unknown'] ?? 0) + 1
  const refused = new Set(rejected.map(({ id }) => id))
  const sum = (count: (answer: BatchAnswer) => number): number =>
    answers.reduce((total, answer) => total + count(answer), 0)
  return {
    sent: ids.length,
    recorded: ids.filter((id) => after.has(id) && !before.has(id)).length,
    duplicate: ids.filter((id) => before.has(id) && !refused.has(id)).length,
    rejected: rejected.length,
    rejectedReasons,
    answered: {
      recorded: sum(({ settled }) => settled?.recorded ?? 0),
      duplicate: sum(({ settled }) => settled?.duplicate ?? 0),
    },
    acceptedOnly: sum(({ settled, accepted }) => (settled ? 0 : accepted)),
    resent: sum(({ attempts, batch }) => (attempts > 1 ? batch.events.length : 0)),
  }
}

function checkEvents(events: EventCounts): string[] {
  const problems: string[] = []
  const missing = events.sent - events.recorded - events.duplicate - events.rejected
  if (missing !== 0) problems.push(`${formatCount(missing)} accepted events are not in the ledger.`)
  if (events.rejected > 0) {
    const reasons = Object.entries(events.rejectedReasons).map(([reason, count]) => `${reason} ${formatCount(count)}`)
    problems.push(`${formatCount(events.rejected)} events were rejected: ${reasons.join(', ')}.`)
  }
  // An answer that was lost on the way and one that came before the commit are the two ways to be recorded unseen.
  const unseen = events.acceptedOnly + events.resent
  const { recorded } = events.answered
  if (recorded > events.recorded || recorded + unseen < events.recorded) {
    problems.push(
      `The API answered ${formatCount(recorded)} events as recorded, the ledger has ${formatCount(events.recorded)} new ones.`,
    )
  }
  return problems
}

function checkFile(file: TokenSums, replayed: TokenSums): string[] {
  const names = { events: 'Events', input: 'Input LLM tokens', output: 'Output LLM tokens', total: 'LLM tokens' }
  return (['events', 'input', 'output', 'total'] as const)
    .filter((name) => file[name] !== replayed[name])
    .map(
      (name) =>
        `${names[name]}: the file has ${formatCount(file[name])}, the ledger ${formatCount(replayed[name])} (difference ${formatCount(replayed[name] - file[name])}).`,
    )
}

const EMPTY = { input: 0n, output: 0n, total: 0n, costUsd: '0' }

type Amounts = Pick<BookEntry, 'input' | 'output' | 'total' | 'costUsd'>

function compareBook(domain: string, book: string, ledger: Amounts, entry: Amounts): string[] {
  const kinds = (['input', 'output', 'total'] as const)
    .filter((kind) => entry[kind] !== null && entry[kind] !== ledger[kind])
    .map(
      (kind) =>
        `${domain}: ${kind} LLM tokens in ${book} are ${formatCount(entry[kind] ?? 0n)}, in the ledger ${formatCount(ledger[kind] ?? 0n)}.`,
    )
  const cost =
    entry.costUsd === ledger.costUsd
      ? []
      : [`${domain}: cost in ${book} is ${entry.costUsd} USD, in the ledger ${ledger.costUsd} USD.`]
  return [...kinds, ...cost]
}

function checkBooks(figures: Figures, organizations: readonly Pick<OrganizationStory, 'organizationId' | 'domain'>[]) {
  return organizations.flatMap(({ organizationId, domain }) => {
    const find = (book: string): Amounts =>
      figures.books.find((entry) => entry.book === book && entry.organizationId === organizationId) ?? EMPTY
    return BOOKS.flatMap((book) => compareBook(domain, book, find('ledger'), find(book)))
  })
}

function checkStory(story: OrganizationStory): string[] {
  const problems: string[] = []
  const { domain, after, expectedState, watch } = story
  if (after.state !== expectedState) {
    const limit = after.limit === null ? 'no limit' : formatCount(after.limit)
    problems.push(`${domain} is ${after.state}, but ${formatCount(after.used)} of ${limit} means ${expectedState}.`)
  }
  if (story.storyEnd !== null && after.state !== story.storyEnd) {
    problems.push(`${domain} was to end ${story.storyEnd}, but is ${after.state}.`)
  }
  if (story.crosses && !story.crossing) {
    problems.push(`${domain} crossed its limit, but verify never refused its token (is ENFORCEMENT_MODE=observe?).`)
  }
  const wrong = (watch?.refusals.superseded ?? 0) + (watch?.refusals.organization_revoked ?? 0)
  const stays = after.version === story.before.version
  if (stays && wrong > 0)
    problems.push(`${domain} kept its access, but verify refused its token ${formatCount(wrong)} times.`)
  return problems
}

/** Compares everything that must agree; a line for each difference, none when all is well. */
export function findProblems(result: Pick<DemoResult, 'events' | 'file' | 'figures' | 'organizations'>): string[] {
  return [
    ...checkEvents(result.events),
    ...checkFile(result.file, result.figures.replayed),
    ...checkBooks(result.figures, result.organizations),
    ...result.organizations.flatMap(checkStory),
  ]
}
