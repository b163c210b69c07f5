import {
  changedPositionsKey,
  type PublishedPosition,
  positionsKey,
  publishedPosition,
} from '@tollgate/shared/contracts'
import type { Logger } from '@tollgate/shared/logging'
import type { Rpc } from '@tollgate/shared/store'
import type { Redis } from 'ioredis'
import type { EnforcerMetrics } from './metrics.ts'
import { type PublishPositions, toPublished } from './publish-positions.ts'
import { type Repetition, startRepeating } from './repeat.ts'

/** What the auditor stands on. */
export interface AuditOptions {
  readonly rpc: Rpc
  readonly redis: Redis
  readonly namespace: string
  readonly publish: PublishPositions
  readonly metrics: Pick<EnforcerMetrics, 'driftTokens' | 'driftRepairs'>
  readonly logger: Pick<Logger, 'warn'>
  readonly now: () => number
  /** From the end of a slice to the beginning of the next. Default 1 s. */
  readonly sliceIntervalMs?: number
  /** A copy that is younger may differ because its news are on their way. Default 5 s. */
  readonly settleMs?: number
}

const MAX_ROWS = 200
const SLICE_INTERVAL_MS = 1_000
const SETTLE_MS = 5_000

/** Where the auditor stands; each half goes on where its last slice ended. */
interface Round {
  afterReserved: string | null
  afterPosition: string | null
  /** Differences of the round so far. */
  driftTokens: bigint
}

/**
 * Compares, a slice of organizations at a time and round after round, the sums of open holds with the holds, and the
 * published copy with ledger total + open holds; what differs is set right, never incremented. Twelve thousand
 * organizations take a minute.
 */
export function startAuditing(options: AuditOptions): Repetition {
  const round: Round = { afterReserved: null, afterPosition: null, driftTokens: 0n }
  return startRepeating({
    run: async () => {
      await auditReserved(round, options)
      await auditCopy(round, options)
    },
    intervalMs: options.sliceIntervalMs ?? SLICE_INTERVAL_MS,
    onError: (error) => options.logger.warn({ err: error }, 'positions could not be audited'),
    now: options.now,
  })
}

async function auditReserved(round: Round, { rpc, metrics, logger }: AuditOptions): Promise<void> {
  const [row] = await rpc('audit_reserved', { after_organization: round.afterReserved, max_rows: MAX_ROWS })
  if (row === undefined) return
  round.afterReserved = row.last_organization
  if (row.repaired === 0) return
  round.driftTokens += BigInt(row.drift_tokens)
  metrics.driftTokens.set(Number(round.driftTokens))
  metrics.driftRepairs.inc({ what: 'holds' }, row.repaired)
  logger.warn({ organizations: row.repaired, drift_tokens: row.drift_tokens }, 'totals of open holds were wrong')
}

async function auditCopy(round: Round, options: AuditOptions): Promise<void> {
  const { rpc, redis, publish, metrics, logger } = options
  if (redis.status !== 'ready') return
  const rows = await rpc('list_positions', { query: { after: round.afterPosition, max_rows: MAX_ROWS } })
  const truth = rows.map(toPublished)
  const [marked, copies] = truth.length === 0 ? [[], []] : await readMarksAndCopies(truth.map(organizationOf), options)
  const wrong = truth.filter((position, index) => differs(position, readCopy(copies[index]), options))
  for (const position of wrong) {
    const index = truth.indexOf(position)
    const drift = driftOf(position, readCopy(copies[index]))
    // What is marked is on its way, however old the copy: publishing rests where much changes.
    if (drift === 0n || marked[index] === 1) continue
    round.driftTokens += drift
    metrics.driftRepairs.inc({ what: 'copy' })
    logger.warn({ organization_id: position.organization_id, drift_tokens: `${drift}` }, 'published position was wrong')
  }
  await publish(wrong)
  round.afterPosition = rows.length === MAX_ROWS ? (rows.at(-1)?.organization_id ?? null) : null
  metrics.driftTokens.set(Number(round.driftTokens))
  if (round.afterPosition === null) round.driftTokens = 0n
}

function readMarksAndCopies(ids: string[], { redis, namespace }: AuditOptions) {
  const marked = redis.smismember(changedPositionsKey(namespace), ...ids)
  return Promise.all([marked, redis.hmget(positionsKey(namespace), ...ids)])
}

const organizationOf = (position: PublishedPosition): string => position.organization_id

function readCopy(text: string | null | undefined): PublishedPosition | undefined {
  try {
    return publishedPosition.parse(JSON.parse(text ?? ''))
  } catch {
    return undefined
  }
}

function differs(
  truth: PublishedPosition,
  copy: PublishedPosition | undefined,
  { settleMs = SETTLE_MS }: AuditOptions,
) {
  if (copy === undefined) return true
  if (truth.as_of_ms - copy.as_of_ms < settleMs) return false
  const { as_of_ms: _asked, ...figures } = truth
  const { as_of_ms: _held, ...held } = copy
  return JSON.stringify(figures) !== JSON.stringify(held)
}

// A copy that is missing (a wiped Redis) or of an ended period is brought up to date without being wrong.
function driftOf(truth: PublishedPosition, copy: PublishedPosition | undefined): bigint {
  if (copy === undefined || copy.period_start !== truth.period_start) return 0n
  return distance(truth.used_tokens, copy.used_tokens) + distance(truth.reserved_tokens, copy.reserved_tokens)
}

function distance(one: string, other: string): bigint {
  const difference = BigInt(one) - BigInt(other)
  return difference < 0n ? -difference : difference
}
