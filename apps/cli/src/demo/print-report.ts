import type { OrganizationStory, ShownLogin } from './close-gates.ts'
import type { DemoResult } from './demo-result.ts'
import { formatCount, formatMs, formatPercent, formatTable } from './format.ts'
import { POLL_MS } from './open-gates.ts'
import type { Book, BookEntry, ModelFigures, TokenSums } from './read-figures.ts'
import type { VerifyAnswer } from './watch-gate.ts'

const NUMBERS = new Set([1, 2, 3, 4])

const describeVerify = (answer: VerifyAnswer | null): string => {
  if (!answer) return 'no token to ask about'
  return answer.status === 200 ? '200 active: true' : `${answer.status} ${answer.reason ?? ''}`.trimEnd()
}

function describeLogin(login: ShownLogin): string {
  if (login.kind === 'refused') return `refused with ${login.status}`
  const { features, enabled_models } = login.config
  const all = Object.entries(features)
  const off = all.filter(([, isOn]) => !isOn).map(([name]) => name)
  const what =
    off.length === 0 ? 'all features on' : off.length === all.length ? 'all features off' : `off: ${off.join(', ')}`
  return `new token, ${enabled_models.length} ${enabled_models.length === 1 ? 'model' : 'models'}, ${what}`
}

function describeCrossing(story: OrganizationStory): string[] {
  const { crossing } = story
  if (!crossing) return []
  const since = crossing.sinceAcceptedMs
  const gate =
    since >= 0 ? `${formatMs(since)} after its 202` : `${formatMs(-since)} before its 202 had reached the client`
  const gap =
    crossing.pollGapMs === null
      ? ''
      : `; verify was polled, the last pass began ${formatMs(crossing.pollGapMs)} earlier`
  const unclean = crossing.isClean
    ? []
    : ['            (earlier batches were still on their way or it was sent again: an upper bound)']
  return [
    `  gate      batch ${crossing.batch + 1} reached ${crossing.atPercent} % of the limit; first ${crossing.reason} ${gate}`,
    `            (${formatMs(crossing.sincePostedMs)} after it was posted${gap})`,
    ...unclean,
  ]
}

function printStory(story: OrganizationStory, result: DemoResult): string[] {
  const { domain, before, after, watch } = story
  const steps = result.decisions.filter(({ organizationId }) => organizationId === story.organizationId)
  const limit = after.limit === null ? 'no limit' : formatCount(after.limit)
  const states = [before.state, ...steps.map(({ toState }) => toState)]
  const path = states.filter((state, at) => state !== states[at - 1]).join(' → ')
  const renewed = watch && watch.renewed > 0 ? `, ${watch.renewed} token renewed on the way` : ''
  return [
    `${domain} (${story.user})`,
    `  state     ${path}; ${formatCount(after.used)} of ${limit} LLM tokens (${formatPercent(after.used, after.limit)}), version ${before.version} → ${after.version}`,
    ...steps.map(({ decidedAt, toState, reason }) => `            ${decidedAt.slice(11, 23)} ${toState}: ${reason}`),
    `  verify    before: ${describeVerify(story.verifyBefore)}; after, same token: ${describeVerify(story.verifyAfter)}${renewed}`,
    ...describeCrossing(story),
    `  login     before: ${describeLogin(story.loginBefore)}`,
    `            after:  ${describeLogin(story.loginAfter)}`,
  ]
}

/** The refusal that says most: of a closed organization before that of a stale token. */
function findRefusal({ organizations }: DemoResult): { title: string; body: unknown } | null {
  for (const { domain, verifyAfter, loginAfter } of [...organizations].reverse()) {
    if (loginAfter.kind === 'refused')
      return { title: `Login of ${domain}, refused with ${loginAfter.status}`, body: loginAfter.problem }
    if (verifyAfter && verifyAfter.status !== 200) {
      return { title: `verify of ${domain}'s former token, ${verifyAfter.status}`, body: verifyAfter.body }
    }
  }
  return null
}

const tokenRow = (name: string, sums: Omit<TokenSums, 'events'>): string[] => [
  name,
  formatCount(sums.input),
  formatCount(sums.output),
  formatCount(sums.total),
]

const sumBook = (entries: readonly BookEntry[], book: Book): Omit<TokenSums, 'events'> => {
  const own = entries.filter((entry) => entry.book === book)
  const sum = (pick: (entry: BookEntry) => bigint): bigint => own.reduce((total, entry) => total + pick(entry), 0n)
  return {
    input: sum(({ input }) => input ?? 0n),
    output: sum(({ output }) => output ?? 0n),
    total: sum(({ total }) => total),
  }
}

function printTokens({ file, figures }: DemoResult): string[] {
  const { replayed, books } = figures
  const ledger = sumBook(books, 'ledger')
  const hasOther = ledger.total !== replayed.total
  const rows = [
    ['LLM tokens', 'input', 'output', 'total'],
    tokenRow('file, as replayed', file),
    tokenRow('ledger', replayed),
    // The rollups do not know of sources: with other usage in the stack they are compared with the whole ledger.
    ...(hasOther ? [tokenRow('ledger, other usage included', ledger)] : []),
    tokenRow('usage_metrics', sumBook(books, 'usage_metrics')),
    tokenRow('chat_sessions', sumBook(books, 'chat_sessions')),
  ]
  return formatTable(rows, NUMBERS)
}

function describeCost({ costUsd, unpricedEvents, events, unpricedTokens }: ModelFigures): string {
  if (unpricedEvents === 0n) return costUsd ?? '0'
  if (unpricedEvents === events) return 'unpriced'
  return `${costUsd} + ${formatCount(unpricedTokens)} LLM tokens unpriced`
}

function printModels({ figures }: DemoResult): string[] {
  const rows = figures.models.map((row) => [
    row.model ?? 'all',
    formatCount(row.events),
    formatCount(row.input),
    formatCount(row.output),
    describeCost(row),
  ])
  return formatTable([['Model', 'events', 'input', 'output', 'cost in USD'], ...rows], NUMBERS)
}

function printOrganizations({ organizations }: DemoResult): string[] {
  const rows = organizations.map(({ domain, after }) => [
    domain,
    formatCount(after.used),
    after.limit === null ? 'none' : formatCount(after.limit),
    formatPercent(after.used, after.limit),
    after.state,
  ])
  return formatTable([['Organization', 'used', 'limit', 'of it', 'state'], ...rows], new Set([1, 2, 3]))
}

function printEvents({ events, sendMs }: DemoResult): string[] {
  const rate = sendMs > 0 ? Math.round((events.sent * 1000) / sendMs) : 0
  const rows = [
    ['Events sent', 'recorded', 'duplicates', 'rejected'],
    [events.sent, events.recorded, events.duplicate, events.rejected].map(formatCount),
  ]
  const resent = events.resent > 0 ? `, ${formatCount(events.resent)} of them more than once (counted once)` : ''
  return [
    ...formatTable(rows, new Set([0, 1, 2, 3])),
    `Sent in ${(sendMs / 1000).toFixed(1)} s (${formatCount(rate)} events/s, unhurried: this is not the benchmark)${resent}.`,
    ...(events.sent > 0 && events.duplicate === events.sent
      ? [
          `A repeat: ${formatCount(events.duplicate)} duplicates, 0 recorded. Nothing was counted twice; the organizations are as the run before left them.`,
        ]
      : []),
  ]
}

const MEASURED = `How the times at the gate are measured: the client knows beforehand which batch takes an organization to its limit. It sends that
batch alone, after all earlier ones are recorded, and without "Prefer: wait", so that the 202 says no more than "safely stored". The clock
runs from that answer to the first refusal by GET /api/auth/verify, which is polled every ${POLL_MS} ms with a token from before. It covers the
queue, pricing, the commit, the decision and its way to the gate; what it is too long by is less than the polling gap named beside it.`

/** The whole report as text, for people. */
export function printReport(result: DemoResult): string {
  const refusal = findRefusal(result)
  const measured = result.organizations.some(({ crossing }) => crossing) ? [...MEASURED.split('\n'), ''] : []
  const lines = [
    '',
    ...result.organizations.flatMap((story) => [...printStory(story, result), '']),
    ...measured,
    ...(refusal ? [`${refusal.title}:`, JSON.stringify(refusal.body, null, 2), ''] : []),
    ...printEvents(result),
    '',
    ...printTokens(result),
    '',
    ...printModels(result),
    '',
    ...printOrganizations(result),
    '',
    ...result.changedLimits.map(
      ({ domain, limit }) =>
        `The limit of ${domain} was ${formatCount(limit)} LLM tokens for this replay; it is put back.`,
    ),
    ...(result.ok
      ? ['All figures agree, to the last LLM token.']
      : ['The figures do NOT agree:', ...result.problems.map((problem) => `  ${problem}`)]),
  ]
  return lines.join('\n')
}
