import { DEFAULT_QUOTA_POLICY, type QuotaPolicy, reducedConfig } from '@tollgate/shared/contracts'
import type { Rpc } from '@tollgate/shared/store'
import type { Command } from 'commander'
import { z } from 'zod'
import type { CommandIo } from '../command-io.ts'
import { formatCount, formatTable } from '../demo/format.ts'
import type { OperatorFlags } from '../operator/open-operator.ts'
import { readDate, readUuid } from '../operator/read-option.ts'
import { type Limit, readLimit, readPolicyFile } from '../operator/read-policy.ts'
import { addOperatorOptions, type CommandResult, runOperator, throwIfStopped } from '../operator/run-operator.ts'
import { createProgress } from '../operator/show-progress.ts'
import { loadPast } from '../quota/load-past.ts'
import { type Crossing, type PastUsage, replayUsage } from '../quota/replay-usage.ts'

interface SimulateFlags extends OperatorFlags {
  readonly policy: string
  readonly from: string
  readonly to: string
  readonly organization?: string
  readonly limit?: Limit
  readonly userLimit?: Limit
}

/** An entry of the ledger with its user. */
interface UsersUsage extends PastUsage {
  readonly userId: string
}

const DAY_MS = 86_400_000
/** No period is longer: what was used in it before `--from` counts too. */
const LONGEST_PERIOD_DAYS = 62
const ROWS_AT_A_TIME = 5_000

const ledgerLine = z.object({
  user_id: z.string(),
  period_start: z.string(),
  time: z.string(),
  total_tokens: z.string(),
  cost_usd: z.string().nullable(),
})

async function readDay(rpc: Rpc, page: { organization_id: string; date: string }): Promise<UsersUsage[]> {
  const usage: UsersUsage[] = []
  let after: unknown = null
  for (;;) {
    const rows = await rpc('export_ledger', { page: { ...page, after, max_rows: ROWS_AT_A_TIME } })
    for (const { line } of rows) {
      const { user_id: userId, period_start, time, total_tokens, cost_usd } = ledgerLine.parse(line)
      const times = { periodStart: Date.parse(period_start), time: Date.parse(time) }
      usage.push({ userId, ...times, tokens: BigInt(total_tokens), costUsd: cost_usd })
    }
    if (rows.length < ROWS_AT_A_TIME) return usage
    after = rows.at(-1)?.here
  }
}

/** What the policy would have brought for one organization, on the asked days of its own calendar. */
async function simulateOne(rpc: Rpc, flags: SimulateFlags, policy: QuotaPolicy, id: string, usage: UsersUsage[]) {
  const [position] = await rpc('load_quota_position', { for_organization: id })
  const { base_limit_tokens: present = null, time_zone = 'UTC', reduced_configs } = position ?? {}
  const { tokens: limit } = flags.limit ?? { tokens: present === null ? null : BigInt(present) }
  const reducedConfigs = z.record(z.string(), reducedConfig).catch({}).parse(reduced_configs)
  const localDay = new Intl.DateTimeFormat('en-CA', { timeZone: time_zone, dateStyle: 'short' })
  const dayOf = ({ at }: Crossing) => localDay.format(new Date(at))
  // To the end of the last day, wherever it ends last.
  const until = Date.parse(`${flags.to}T00:00:00Z`) + 2 * DAY_MS
  const isAsked = (crossing: Crossing) => dayOf(crossing) >= flags.from && dayOf(crossing) <= flags.to
  const past = await loadPast(rpc, id, firstInstant(flags), until)
  const { observe, periods, grants } = past
  const common = { reducedConfigs, observe, periods }
  const crossings = replayUsage(usage, { ...common, limit, policy, grants, acts: past.acts.get(null) ?? [] }, until)
  const users = [...Map.groupBy(usage, ({ userId }) => userId)].flatMap(([user_id, own]) => {
    const tried = flags.userLimit && { limit: flags.userLimit.tokens, policy: past.userDefault?.policy ?? null }
    const rule = past.users.get(user_id) ?? tried ?? past.userDefault
    const acts = past.acts.get(user_id) ?? []
    if (rule === null && acts.length === 0) return []
    const ladder = rule?.policy ?? past.userDefault?.policy ?? DEFAULT_QUOTA_POLICY
    const found = replayUsage(own, { ...common, limit: rule?.limit ?? null, policy: ladder, acts }, until)
    return found.filter(isAsked).map((crossing) => ({ user_id, ...crossing }))
  })
  const limit_tokens = limit === null ? null : String(limit)
  const ofAll = crossings.filter(isAsked).map((crossing) => ({ user_id: null, ...crossing }))
  return { organization_id: id, limit_tokens, crossings: [...ofAll, ...users] }
}

/** What was used in the period before the first asked day counts too. */
const firstInstant = ({ from }: SimulateFlags): number => Date.parse(from) - LONGEST_PERIOD_DAYS * DAY_MS

async function simulate(flags: SimulateFlags, io: CommandIo): Promise<void> {
  const policy = await readPolicyFile(flags.policy)
  await runOperator(flags, io, async ({ rpc }): Promise<CommandResult> => {
    const from_date = new Date(firstInstant(flags)).toISOString().slice(0, 10)
    const range = { from_date, to_date: flags.to, only_organization: flags.organization }
    const days = Map.groupBy(await rpc('list_usage_days', range), (day) => day.organization_id)
    const progress = createProgress(io, 'organizations')
    const organizations: Awaited<ReturnType<typeof simulateOne>>[] = []
    try {
      for (const [id, pages] of days) {
        const usage: UsersUsage[] = []
        for (const page of pages) {
          throwIfStopped(io, 'Nothing was changed.')
          for (const entry of await readDay(rpc, page)) usage.push(entry)
        }
        organizations.push(await simulateOne(rpc, flags, policy, id, usage))
        progress.show({ done: organizations.length, total: days.size, note: `${formatCount(usage.length)} entries` })
      }
    } finally {
      progress.close()
    }
    return { document: { organizations }, text: describe(organizations) }
  })
}

function describe(organizations: readonly Awaited<ReturnType<typeof simulateOne>>[]): string {
  const lines = organizations.flatMap(({ organization_id, crossings }) =>
    crossings.map((crossing) => [
      organization_id,
      crossing.user_id ?? '–',
      crossing.at,
      crossing.observed === null ? crossing.state : `${crossing.state} (withheld: ${crossing.observed})`,
      crossing.reason,
      formatCount(BigInt(crossing.used_tokens)),
      crossing.limit_tokens === null ? '–' : formatCount(BigInt(crossing.limit_tokens)),
    ]),
  )
  const nobody = 'Nobody would have been warned, downgraded or revoked.'
  const head = ['Organization', 'User', 'When', 'State', 'Reason', 'Used', 'Limit']
  return [
    ...(lines.length === 0 ? [nobody] : formatTable([head, ...lines], new Set([5, 6]))),
    'Nothing was changed.',
  ].join('\n')
}

/** Adds `tollgate quota simulate`. */
export function addQuotaCommand(program: Command, io: CommandIo): void {
  const group = program.command('quota').description('try out quota policies')
  addOperatorOptions(group.command('simulate'))
    .description('replay past usage against a policy: who would have been warned, downgraded, revoked, and when')
    .requiredOption('--policy <file>', 'the ladder, as `PUT /v1/organizations/{id}/quota` takes it (JSON)')
    .requiredOption('--from <date>', "first day, in each organization's time zone", readDate)
    .requiredOption('--to <date>', 'last day', readDate)
    .option('--organization <id>', 'only this one', readUuid)
    .option(
      '--limit <tokens>',
      "LLM tokens a period, or `unlimited` (default: each organization's present limit)",
      readLimit,
    )
    .option(
      '--user-limit <tokens>',
      'LLM tokens a period for each user without an own limit, or `unlimited` (default: the present one)',
      readLimit,
    )
    .action((flags: SimulateFlags) => simulate(flags, io))
}
