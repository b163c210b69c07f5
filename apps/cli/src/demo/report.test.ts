import { describe, expect, it } from 'vitest'
import type { OrganizationStory } from './close-gates.ts'
import type { DemoResult } from './demo-result.ts'
import type { BatchAnswer } from './post-batch.ts'
import { printReport } from './print-report.ts'
import { BOOKS, type BookEntry } from './read-figures.ts'
import { countEvents, findProblems, sumFile } from './report.ts'

const config = {
  enabled_models: ['gpt-4o'],
  max_tokens: 100,
  knowledge_bases: [],
  mcp_servers: [],
  custom_instructions: '',
  allowed_endpoints: [],
  features: { file_upload: false, image_generation: false, voice_chat: false, code_interpreter: false },
}
const quota = {
  period: { start: '', end: '', time_zone: 'UTC' },
  limit: 100,
  used: 30,
  reserved: 0,
  remaining: 70,
  state: 'active' as const,
  version: 0,
  reason: null,
  decision_id: null,
  as_of: '',
}
const story: OrganizationStory = {
  organizationId: 'o',
  domain: 'acme-research',
  user: 'ada@acme-research.example',
  before: quota,
  after: quota,
  expectedState: 'active',
  storyEnd: 'active',
  loginBefore: { kind: 'issued', config },
  verifyBefore: { status: 200, reason: null, body: {} },
  verifyAfter: { status: 200, reason: null, body: {} },
  loginAfter: { kind: 'issued', config },
  watch: { passed: 5, refusals: {}, unanswered: 0, renewed: 0, awaited: null },
  crosses: false,
  crossing: null,
}
const sums = { events: 2n, input: 20n, output: 10n, total: 30n }
const entry = (book: BookEntry['book']): BookEntry => ({
  book,
  organizationId: 'o',
  input: book === 'period_totals' ? null : 20n,
  output: book === 'period_totals' ? null : 10n,
  total: 30n,
  costUsd: '0.00012',
})
const good = {
  events: {
    sent: 2,
    recorded: 2,
    duplicate: 0,
    rejected: 0,
    rejectedReasons: {},
    answered: { recorded: 2, duplicate: 0 },
    acceptedOnly: 0,
    resent: 0,
  },
  file: sums,
  figures: {
    replayed: sums,
    books: BOOKS.map(entry),
    models: [
      { ...sums, model: 'acme-internal-llm', costUsd: null, unpricedEvents: 2n, unpricedTokens: 30n },
      { ...sums, model: null, costUsd: null, unpricedEvents: 2n, unpricedTokens: 30n },
    ],
  },
  organizations: [story],
}

describe('the comparison', () => {
  it('finds nothing where all agree', () => {
    expect(findProblems(good)).toEqual([])
  })

  it.each(BOOKS.slice(1))('goes red when %s has one LLM token more than the ledger', (book) => {
    const books = good.figures.books.map((row) => (row.book === book ? { ...row, total: row.total + 1n } : row))
    expect(findProblems({ ...good, figures: { ...good.figures, books } })).toHaveLength(1)
  })

  it.each(['usage_metrics', 'usage_by_model', 'chat_sessions'])('goes red when %s has no row at all', (book) => {
    const books = good.figures.books.filter((row) => row.book !== book)
    expect(findProblems({ ...good, figures: { ...good.figures, books } })).not.toEqual([])
  })

  it('goes red when the ledger has one LLM token less than the file', () => {
    const replayed = { ...sums, output: 9n, total: 29n }
    expect(findProblems({ ...good, figures: { ...good.figures, replayed } })[0]).toMatch(/file has 10.*ledger 9/)
  })

  it('sees a difference that a double would not', () => {
    const huge = 2n ** 53n
    const books = good.figures.books.map((row) => ({ ...row, total: row.book === 'ledger' ? huge : huge + 1n }))
    expect(findProblems({ ...good, figures: { ...good.figures, books } })).toHaveLength(4)
  })

  it('goes red for a cost that differs in its last digit', () => {
    const books = good.figures.books.map((row) => (row.book === 'chat_sessions' ? { ...row, costUsd: '0.00013' } : row))
    expect(findProblems({ ...good, figures: { ...good.figures, books } })[0]).toMatch(/cost in chat_sessions/)
  })

  it('goes red for a lost event, a rejected one, and an answer that claims too much', () => {
    const problemsOf = (events: Partial<DemoResult['events']>) =>
      findProblems({ ...good, events: { ...good.events, ...events } })
    expect(problemsOf({ recorded: 1, answered: { recorded: 1, duplicate: 0 } })[0]).toMatch(/1 accepted events are not/)
    expect(problemsOf({ sent: 3, rejected: 1, rejectedReasons: { too_late: 1 } })[0]).toMatch(/too_late 1/)
    expect(problemsOf({ answered: { recorded: 3, duplicate: 0 } })[0]).toMatch(/answered 3.*2 new/)
    expect(problemsOf({ answered: { recorded: 1, duplicate: 0 } })).toHaveLength(1)
    expect(problemsOf({ answered: { recorded: 1, duplicate: 1 }, resent: 2 })).toEqual([])
  })

  it('goes red when a state is not that of the usage, or a crossing was not refused', () => {
    const wrong = { ...story, expectedState: 'warned' as const }
    expect(findProblems({ ...good, organizations: [wrong] })[0]).toMatch(/is active, but 30 of 100 means warned/)
    expect(findProblems({ ...good, organizations: [{ ...story, storyEnd: 'revoked' }] })[0]).toMatch(/end revoked/)
    expect(findProblems({ ...good, organizations: [{ ...story, storyEnd: null }] })).toEqual([])
    expect(findProblems({ ...good, organizations: [{ ...story, crosses: true }] })[0]).toMatch(/never refused/)
  })
})

it('shows an unknown price as such, never as zero', () => {
  const result: DemoResult = {
    ok: true,
    problems: [],
    source: 's',
    seed: 1,
    window: { start: '', end: '' },
    changedLimits: [],
    decisions: [],
    sendMs: 10,
    ...good,
  }
  expect(printReport(result)).toMatch(/acme-internal-llm .* unpriced\n/)
})

describe('counting', () => {
  const event = (id: string) => ({ id, organizationId: 'o', inputTokens: 3, outputTokens: 2 })
  const answer = (ids: string[], rest: Partial<BatchAnswer>): BatchAnswer => ({
    batch: { index: 0, events: ids.map(event), body: '' },
    accepted: ids.length,
    settled: null,
    rejected: [],
    attempts: 1,
    sentAtMs: 0,
    answeredAtMs: 0,
    ...rest,
  })

  it('tells recorded from duplicate by the ledger, also where the API only accepted', () => {
    const answers = [
      answer(['a', 'b'], { settled: { recorded: 1, duplicate: 1 } }),
      answer(['c'], {}),
      answer(['d'], { attempts: 2, settled: { recorded: 0, duplicate: 1 } }),
    ]
    const counts = countEvents(answers, new Set(['a']), new Set(['a', 'b', 'c', 'd']))
    expect(counts).toMatchObject({ sent: 4, recorded: 3, duplicate: 1, rejected: 0, acceptedOnly: 1, resent: 1 })
    expect(sumFile(answers)).toEqual({ events: 4n, input: 12n, output: 8n, total: 20n })
  })
})
