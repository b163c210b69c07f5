import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { DEFAULT_SEED } from './assign.ts'
import { sourceOf } from './build-batches.ts'
import type { DemoContext, DemoProgress } from './demo-context.ts'
import { messageOf } from './demo-error.ts'
import type { DemoResult } from './demo-result.ts'
import { chooseLimits, type FittedLimit, restoreLimits, setLimits } from './fit-limits.ts'
import { type DemoStack, findTenants, planReplay, type ReplayPlan, settleWindow, type Tenant } from './plan-replay.ts'
import { createQuotaApi } from './quota.ts'
import { readFigures, readRecordedIds } from './read-figures.ts'
import { readTrace } from './read-trace.ts'
import { countEvents, findProblems, sumFile } from './report.ts'
import { requestJson } from './request-json.ts'
import { type TellOptions, type Told, tellStories } from './tell-stories.ts'
import { readWindow, writeWindow } from './window-file.ts'

/** How the demo is run; everything has a default but the stack and the file. */
export interface DemoOptions extends Partial<Omit<TellOptions, 'storyLimitOf'>> {
  readonly stack: DemoStack
  /** Keeps the times of the first run, so that a second one sends the same events. Belongs beside the stack's data. */
  readonly windowFile: string
  /** Replay only so many of the trace's first requests. */
  readonly requests?: number | undefined
  /** Set smaller limits for the time of the replay, so that a part of the trace tells the same stories. */
  readonly fitLimits?: boolean | undefined
  /** Lay the trace over so many last days of the month, instead of over the last hour. */
  readonly days?: number | undefined
  readonly seed?: number | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: DemoProgress) => void) | undefined
}

const DEFAULTS = { inFlight: 8, waitSeconds: 10, drainMs: 120_000, refusalMs: 20_000 }

function createContext(options: DemoOptions, pool: pg.Pool): DemoContext {
  const { stack, signal, onProgress = () => {} } = options
  return {
    stack,
    pool,
    request: requestJson,
    quota: createQuotaApi(requestJson, stack.tokenApi, stack.operatorKey),
    now: () => performance.now(),
    sleep: (ms, stop) => delay(ms, undefined, { signal: stop }),
    random: Math.random,
    signal,
    report: onProgress,
  }
}

async function makePlan(options: DemoOptions, tenants: readonly Tenant[], hasRecorded: boolean): Promise<ReplayPlan> {
  const { seed = DEFAULT_SEED, windowFile } = options
  const trace = await readTrace()
  const store = {
    read: () => readWindow(windowFile, seed),
    write: (window: Parameters<typeof writeWindow>[2]) => writeWindow(windowFile, seed, window),
  }
  const window = settleWindow(trace, store, hasRecorded, Date.now(), options.days)
  return planReplay({ trace, requests: options.requests ?? trace.length, tenants, seed, window })
}

async function compare(
  context: DemoContext,
  plan: ReplayPlan,
  told: Told,
  before: ReadonlySet<string>,
  limits: readonly FittedLimit[],
): Promise<DemoResult> {
  const organizationIds = told.stories.map(({ organizationId }) => organizationId)
  const { source, eventIds, seed, window } = plan
  const after = await readRecordedIds(context.pool, organizationIds, source)
  const figures = await readFigures(context.pool, { organizationIds, source, eventIds })
  const events = countEvents(told.answers, before, after)
  const found = { events, file: sumFile(told.answers), figures, organizations: told.stories }
  const problems = findProblems(found)
  return {
    ok: problems.length === 0,
    problems,
    source,
    seed,
    window: { start: new Date(window.startMs).toISOString(), end: new Date(window.endMs).toISOString() },
    changedLimits: limits.map(({ domain, formerLimit, limit }) => ({ domain, formerLimit, limit })),
    ...found,
    decisions: told.decisions,
    sendMs: told.sendMs,
  }
}

/** The whole trace is made for the seeded limits, a part of it for those that were set for it. */
function findStoryLimits(options: DemoOptions, stack: DemoStack, limits: readonly FittedLimit[]) {
  const tellsStories = options.requests === undefined || options.fitLimits === true
  return (organizationId: string): number | null => {
    if (!tellsStories) return null
    const fitted = limits.find((limit) => limit.organizationId === organizationId)
    const seeded = stack.organizations.find(({ id }) => id === organizationId)
    return fitted?.limit ?? seeded?.max_tokens ?? null
  }
}

async function perform(context: DemoContext, options: DemoOptions): Promise<DemoResult> {
  const tenants = findTenants(context.stack)
  const organizationIds = tenants.map(({ organizationId }) => organizationId)
  const before = await readRecordedIds(context.pool, organizationIds, sourceOf(options.seed ?? DEFAULT_SEED))
  const plan = await makePlan(options, tenants, before.size > 0)
  const isKnown = (id: string): boolean => before.has(id)
  const limits = options.fitLimits ? await chooseLimits(context, plan, tenants, isKnown) : []
  // What an interrupt stops must not stop the putting back.
  const calm = { ...context, signal: undefined }
  let result: DemoResult
  try {
    await setLimits(context, limits)
    const storyLimitOf = findStoryLimits(options, context.stack, limits)
    const told = await tellStories(context, plan, tenants, before, { ...DEFAULTS, ...options, storyLimitOf })
    result = await compare(context, plan, told, before, limits)
  } catch (error) {
    await restoreLimits(calm, limits).catch((failure: unknown) =>
      context.report({ kind: 'note', text: `The limits could not be put back: ${messageOf(failure)}` }),
    )
    throw error
  }
  await restoreLimits(calm, limits)
  return result
}

/**
 * Replays the trace on a running stack, watches the gates meanwhile, and compares all figures.
 * What differs is in `problems` of the result; throws DemoError when the replay itself could not be brought through.
 */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const pool = new pg.Pool({ connectionString: options.stack.databaseUrl, max: 4 })
  // A connection that is lost while idle would otherwise end the process; the next query reports it.
  pool.on('error', () => {})
  try {
    return await perform(createContext(options, pool), options)
  } finally {
    await pool.end()
  }
}
