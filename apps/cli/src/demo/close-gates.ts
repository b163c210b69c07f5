import type { EnforcementState, LibreChatConfig, QuotaReport } from '@tollgate/shared/contracts'
import type { DemoContext } from './demo-context.ts'
import type { Gate } from './open-gates.ts'
import type { BatchAnswer } from './post-batch.ts'
import { stateAt } from './quota.ts'
import { issueToken, type TokenAnswer } from './sign-in.ts'
import { type VerifyAnswer, verifyToken, type WatchResult } from './watch-gate.ts'

/** A login as it is shown: without the token itself. */
export type ShownLogin =
  | { readonly kind: 'issued'; readonly config: LibreChatConfig }
  | { readonly kind: 'refused'; readonly status: number; readonly problem: unknown }

/**
 * From the accepted event to the first refusal. Measured by the client: the clock starts when the 202 of the batch that
 * reached the limit is here, and stops when the first refusing answer of verify is.
 */
interface CrossingTime {
  readonly atPercent: number
  readonly batch: number
  readonly reason: string
  /** From the 202 to the first refusal; below zero when the refusal was quicker than the 202. */
  readonly sinceAcceptedMs: number
  /** The same, from the moment the batch was posted. */
  readonly sincePostedMs: number
  /** The refusal minus the start of the last request that was let through: how coarse the polling was. */
  readonly pollGapMs: number | null
  /** Whether every earlier batch was recorded already, so that this one alone was on its way. */
  readonly isClean: boolean
}

/** One organization from before to after. */
export interface OrganizationStory {
  readonly organizationId: string
  readonly domain: string
  readonly user: string
  readonly before: QuotaReport
  readonly after: QuotaReport
  /** What the default ladder gives for the usage after. */
  readonly expectedState: EnforcementState
  /** Where the story must end; null when it starts elsewhere: with earlier usage, another limit, or a part of the trace. */
  readonly storyEnd: EnforcementState | null
  readonly loginBefore: ShownLogin
  readonly verifyBefore: VerifyAnswer | null
  /** The same token, asked again at the end; null when there was none. */
  readonly verifyAfter: VerifyAnswer | null
  readonly loginAfter: ShownLogin
  readonly watch: WatchResult | null
  /** Whether the replay was to cross a limit at which this organization's token is refused. */
  readonly crosses: boolean
  readonly crossing: CrossingTime | null
}

const show = (login: TokenAnswer): ShownLogin =>
  login.kind === 'issued' ? { kind: 'issued', config: login.config } : login

function measure(gate: Gate, { watch, crossingBatch, clean, answers }: GateEvents): CrossingTime | null {
  const { crossing } = gate.tenant.storyline
  const answer = answers.find(({ batch }) => batch.index === crossingBatch)
  const refusal = watch?.awaited
  if (!crossing || !answer || !refusal) return null
  return {
    atPercent: crossing.atPercent,
    batch: answer.batch.index,
    reason: crossing.reason,
    sinceAcceptedMs: refusal.answeredAtMs - answer.answeredAtMs,
    sincePostedMs: refusal.answeredAtMs - answer.sentAtMs,
    pollGapMs: refusal.lastPassedAtMs === null ? null : refusal.answeredAtMs - refusal.lastPassedAtMs,
    isClean: answer.attempts === 1 && clean.has(answer.batch.index),
  }
}

/** What happened at one gate during the replay. */
export interface GateEvents {
  readonly watch: WatchResult | null
  readonly crossingBatch: number | null
  /** The batches that were sent when every earlier one was recorded. */
  readonly clean: ReadonlySet<number>
  readonly answers: readonly BatchAnswer[]
  /** The limit with which the replay tells this organization's story; null when it is not to tell it. */
  readonly storyLimit: number | null
}

/** Asks verify about the token from before, signs the user in anew, and reads where the organization stands. */
export async function closeGate(context: DemoContext, gate: Gate, events: GateEvents): Promise<OrganizationStory> {
  const { stack, request } = context
  const { tenant, login } = gate
  const verifyAfter = login.kind === 'issued' ? await verifyToken(request, stack.tokenApi, login.token) : null
  const loginAfter = await issueToken(request, stack.tokenApi, gate.supabaseToken)
  const after = await context.quota.read(tenant.organizationId)
  return {
    organizationId: tenant.organizationId,
    domain: tenant.domain,
    user: tenant.watched.email,
    before: gate.quota,
    after,
    expectedState: stateAt(BigInt(after.used), after.limit),
    storyEnd: gate.quota.used === 0 && gate.quota.limit === events.storyLimit ? tenant.storyline.ends : null,
    loginBefore: show(login),
    verifyBefore: gate.verified,
    verifyAfter,
    loginAfter: show(loginAfter),
    watch: events.watch,
    crosses: events.crossingBatch !== null && login.kind === 'issued',
    crossing: measure(gate, events),
  }
}
