import { closeGate, type OrganizationStory } from './close-gates.ts'
import { type DemoContext, waitUntil } from './demo-context.ts'
import { countExpected, waitUntilRecorded } from './drain.ts'
import { findCrossing } from './find-crossings.ts'
import { formatCount } from './format.ts'
import { type Gate, openGate, watchTenant } from './open-gates.ts'
import type { ReplayPlan, Tenant } from './plan-replay.ts'
import type { BatchAnswer } from './post-batch.ts'
import { type Decision, isEvaluationDue, readDecisionIds } from './read-decisions.ts'
import { type ReplayOptions, replayBatches } from './replay.ts'
import { watchDecisions } from './watch-decisions.ts'
import type { GateWatch } from './watch-gate.ts'

/** Settings of the replay that a caller may choose. */
export interface TellOptions extends Pick<ReplayOptions, 'inFlight' | 'waitSeconds' | 'retryBudgetMs' | 'onBatch'> {
  /** How long accepted events may take to be recorded after the last was sent. */
  readonly drainMs: number
  /** How long a refusal may take after the last event was recorded. */
  readonly refusalMs: number
  /** The limit with which the replay tells an organization's story; null for a part of the trace that tells none. */
  readonly storyLimitOf: (organizationId: string) => number | null
}

/** What the replay brought. */
export interface Told {
  readonly answers: readonly BatchAnswer[]
  readonly stories: readonly OrganizationStory[]
  readonly decisions: readonly Decision[]
  readonly sendMs: number
}

interface Watched {
  readonly gate: Gate
  readonly watch: GateWatch | null
  readonly crossingBatch: number | null
}

const SETTLE_MS = 10_000
const CLEAN_MS = 5_000

function planCrossing(plan: ReplayPlan, { tenant, quota }: Gate, isKnown: (id: string) => boolean): number | null {
  const { crossing } = tenant.storyline
  if (!crossing) return null
  const { organizationId } = tenant
  const wish = { organizationId, used: BigInt(quota.used), limit: quota.limit, atPercent: crossing.atPercent }
  return findCrossing(plan.batches, wish, isKnown)
}

interface Stage {
  readonly context: DemoContext
  readonly plan: ReplayPlan
  readonly organizationIds: readonly string[]
  readonly watched: readonly Watched[]
  /** Ids of the events that earlier runs recorded. */
  readonly before: ReadonlySet<string>
  readonly options: TellOptions
}

const drainTarget = (answers: readonly BatchAnswer[], { plan, organizationIds, before }: Stage) => ({
  organizationIds,
  source: plan.source,
  expected: countExpected(answers, before),
})

/** Waits until the enforcer has nothing left to do and the gates have refused whom they must, or the time is up. */
async function waitForGates({ context, organizationIds, watched, options }: Stage): Promise<void> {
  await waitUntil(context, async () => !(await isEvaluationDue(context.pool, organizationIds)), SETTLE_MS)
  const awaited = watched.filter(({ crossingBatch }) => crossingBatch !== null).map(({ watch }) => watch?.done)
  const timer = new AbortController()
  const stop = context.signal ? AbortSignal.any([context.signal, timer.signal]) : timer.signal
  // An interrupt ends the wait like the time does; the next request throws.
  const timeout = context.sleep(options.refusalMs, stop).catch(() => {})
  await Promise.race([Promise.all(awaited), timeout])
  timer.abort()
}

interface Replayed {
  readonly answers: readonly BatchAnswer[]
  /** Crossing batches that were sent when every earlier one was recorded. */
  readonly clean: ReadonlySet<number>
  readonly sendMs: number
}

/** Sends everything and waits until all of it has had its effect. */
async function replay(stage: Stage): Promise<Replayed> {
  const { context, plan, watched, options } = stage
  const crossings = new Set(watched.flatMap(({ crossingBatch }) => (crossingBatch === null ? [] : [crossingBatch])))
  const clean = new Set<number>()
  const beforeCrossing: ReplayOptions['beforeCrossing'] = async ({ index }, earlier) => {
    if (await waitUntilRecorded(context, drainTarget(earlier, stage), CLEAN_MS)) clean.add(index)
  }
  const began = context.now()
  const answers = await replayBatches(context, { ...options, batches: plan.batches, crossings, beforeCrossing })
  const sendMs = context.now() - began
  const target = drainTarget(answers, stage)
  await waitUntilRecorded(context, target, options.drainMs, (recorded) => {
    const text = `Drain:  ${formatCount(recorded)} of ${formatCount(target.expected)} accepted events are recorded …`
    context.report({ kind: 'note', text })
  })
  await waitForGates(stage)
  return { answers, clean, sendMs }
}

async function openGates(context: DemoContext, tenants: readonly Tenant[]): Promise<Gate[]> {
  const gates: Gate[] = []
  // One after the other, so that what is said of them comes in the same order each time.
  for (const tenant of tenants) gates.push(await openGate(context, tenant))
  return gates
}

async function watchState(context: DemoContext, tenants: readonly Tenant[]) {
  const organizationIds = tenants.map(({ organizationId }) => organizationId)
  const domainOf = new Map(tenants.map(({ organizationId, domain }) => [organizationId, domain]))
  const known = await readDecisionIds(context.pool, organizationIds)
  return watchDecisions(context, organizationIds, known, ({ organizationId, fromState, toState, reason }) => {
    const text = `State:  ${domainOf.get(organizationId)} ${fromState} → ${toState}: ${reason}`
    context.report({ kind: 'note', text })
  })
}

/** Opens the gates, replays the plan while the gates and the decisions are watched, and closes the gates again. */
export async function tellStories(
  context: DemoContext,
  plan: ReplayPlan,
  tenants: readonly Tenant[],
  before: ReadonlySet<string>,
  options: TellOptions,
): Promise<Told> {
  const gates = await openGates(context, tenants)
  const state = await watchState(context, tenants)
  const watched = gates.map((gate) => ({
    gate,
    watch: watchTenant(context, gate),
    crossingBatch: planCrossing(plan, gate, (id) => before.has(id)),
  }))
  const organizationIds = tenants.map(({ organizationId }) => organizationId)
  let replayed: Replayed
  try {
    replayed = await replay({ context, plan, organizationIds, watched, before, options })
  } finally {
    for (const { watch } of watched) watch?.stop()
    await state.stop()
  }
  const stories: OrganizationStory[] = []
  for (const { gate, watch, crossingBatch } of watched) {
    const seen = (await watch?.done) ?? null
    const storyLimit = options.storyLimitOf(gate.tenant.organizationId)
    stories.push(await closeGate(context, gate, { ...replayed, watch: seen, crossingBatch, storyLimit }))
  }
  return { answers: replayed.answers, stories, decisions: state.decisions, sendMs: replayed.sendMs }
}
