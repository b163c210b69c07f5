import { BenchError } from '../bench-error.ts'
import type { Figure } from '../report/report.ts'
import { type Asked, askReports, type Question } from '../reports/ask-reports.ts'
import { fillRollups, growLedger, type RollupSize } from '../reports/fill-rollups.ts'
import { measurePage, weighScript } from '../reports/measure-page.ts'
import type { BenchContext, Scenario } from '../scenario.ts'
import { spreadOf } from '../statistics.ts'

// 200 organizations × 400 days × 20 users × 6 calls: 9.6 million calls.
const SIZE: RollupSize = { organizations: 200, days: 400, users: 20, calls: 6 }
const LEDGER_ROWS = 100_000
const ASKERS = 60
const GOAL_MS = 50
const VISITS = 5
const DAY_MS = 86_400_000

const dayOf = (daysAgo: number): string => new Date(Date.now() - daysAgo * DAY_MS).toISOString().slice(0, 10)

function listQuestions(): Question[] {
  const year = { start: dayOf(364), end: dayOf(-1) }
  const usage = (name: string, bucket: string, group_by: string[], as: Question['as'] = 'adminId'): Question => ({
    ...{ name: `a year ${name}`, report: 'report_usage', as, query: { ...year, bucket, group_by } },
    // The dashboard shows a year by the month; thousands of rows are a file for another program.
    isGoal: bucket !== 'day',
  })
  return [
    usage('by model and month', 'month', ['model']),
    usage('by user and month', 'month', ['user']),
    usage('by model and day', 'day', ['model']),
    usage('by user, in all', 'total', ['user']),
    usage('by kind of LLM token and month', 'month', ['token_kind']),
    usage('by model and month, own usage of a user', 'month', ['model'], 'userId'),
    ...(['adminId', 'userId'] as const).map((as) => ({
      ...{ name: `tiles of a year and the year before${as === 'userId' ? ', own usage of a user' : ''}`, as },
      ...{ report: 'report_summary' as const, query: year, isGoal: true },
    })),
    {
      name: "the first page of a year's sessions",
      report: 'report_sessions',
      as: 'adminId',
      query: year,
      isGoal: true,
    },
  ]
}

/** Whether a year's report answers at once, however large the ledger, and whether the page is light. */
export const reports: Scenario = {
  name: 'reports',
  run: async (context) => {
    const { bench, turns } = context
    // The worker would find that no ledger stands behind these rollups, and put them right.
    await bench.stack.services['usage-worker'].stop()
    const askers = await fillRollups(bench.db, SIZE)
    turns.log(
      `  rollups of ${Object.values(SIZE)
        .reduce((one, other) => one * other)
        .toLocaleString('en-US')} calls filled`,
    )
    const questions = listQuestions()
    const rounds: Asked[][] = []
    let scans = 0
    for (const round of ['first', 'second']) {
      await growLedger(bench.db, askers, LEDGER_ROWS, round)
      const before = await countLedgerScans(context)
      rounds.push(await askReports(bench.stack.databaseUrl, askers.slice(0, ASKERS), questions))
      scans += (await countLedgerScans(context)) - before
    }
    const [first = [], second = []] = rounds
    const page = await measure(context)
    return {
      scenario: reports.name,
      ratios: first.map(({ question, value }, n) => {
        const ratio = (second[n]?.value ?? Number.NaN) / value
        return { name: `p95 of ${question.name}: with twice the ledger / once`, value: ratio, min: ratio, max: ratio }
      }),
      figures: [...second.map(toFigure), ...page.figures],
      notes: [
        `rollups of ${SIZE.organizations} organizations, ${SIZE.days} days, ${SIZE.users} users each: ${await countRows(context)}; rows lie by day, and within a day in any order, as ingestion leaves them: those of an organization each on another page; vacuumed, as autovacuum does, and months that are over are folded, as the worker does in the background`,
        `${ASKERS} organizations ask each question once under row level security, as a member of it, over one connection; the value is the 95th percentile, then the quickest and the slowest`,
        `the ledger was looked into ${scans} times meanwhile (pg_stat_user_tables); it held ${LEDGER_ROWS.toLocaleString('en-US')} rows, then twice as many`,
        page.note,
      ],
    }
  },
}

const TABLES = `select sum(seq_scan + coalesce(idx_scan, 0))::integer as scans from pg_stat_user_tables
  where schemaname = 'tollgate' and relname like 'usage_events%'`

/** Times that any part of the ledger was looked into, by whomever: nothing is sent meanwhile. */
async function countLedgerScans({ bench }: BenchContext): Promise<number> {
  await bench.db.query('select pg_stat_clear_snapshot(), pg_stat_force_next_flush()')
  const { rows } = await bench.db.query<{ scans: number }>(TABLES)
  return rows[0]?.scans ?? 0
}

async function countRows({ bench }: BenchContext): Promise<string> {
  const { rows } = await bench.db.query<{ name: string; rows: string }>(`
    select relname as name, to_char(n_live_tup, 'FM999,999,999') as rows from pg_stat_user_tables
    where relname in ('usage_metrics', 'chat_sessions', 'usage_by_model', 'usage_by_organization_model', 'usage_by_month') order by relname`)
  return rows.map(({ name, rows }) => `${rows} in ${name}`).join(', ')
}

const toFigure = ({ question, rows, value, min, max }: Asked): Figure => ({
  ...{ name: `p95 of ${question.name} (${rows} rows)`, unit: 'ms', value, min, max },
  ...(question.isGoal ? { goal: { is: 'at most', value: GOAL_MS } } : {}),
})

/** The page as Chromium shows it. A machine without Chromium measures everything else. */
async function measure({ bench }: BenchContext): Promise<{ figures: Figure[]; note: string }> {
  const { dashboard, users } = bench.stack.describe()
  const admin = users.find(({ role }) => role === 'admin')
  const weight = weighScript()
  const script: Figure = {
    ...{ name: "the page's own script, Brotli", unit: 'kB', value: weight, min: weight, max: weight },
    goal: { is: 'at most', value: 120 },
  }
  try {
    if (!dashboard || !admin) throw new BenchError('the stack has no dashboard, or nobody who may open it')
    const { paint, figures } = await measurePage(dashboard, admin, VISITS)
    const goal = { is: 'at most', value: 1_000 } as const
    return {
      figures: [
        script,
        { name: 'the page: first contentful paint', unit: 'ms', ...spreadOf(paint), goal },
        { name: 'the page: figures in the tiles', unit: 'ms', ...spreadOf(figures), goal },
      ],
      note: 'the page: visits of a signed-in admin with an empty cache, Chromium on the same machine',
    }
  } catch (error) {
    return {
      figures: [script],
      note: `the page was not opened: ${error instanceof Error ? error.message : String(error)}`,
    }
  }
}
