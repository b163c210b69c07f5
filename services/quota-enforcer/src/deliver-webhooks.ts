import type { Rpc, RpcRow } from '@tollgate/shared/store'
import { forEachBounded } from './for-each-bounded.ts'
import type { EnforcerMetrics } from './metrics.ts'
import { type Repetition, startRepeating } from './repeat.ts'
import { retryDelayMs } from './retry-delay.ts'
import type { SendWebhook } from './send-webhook.ts'

/** What delivering stands on. */
export interface DeliverOptions {
  readonly rpc: Rpc
  readonly send: SendWebhook
  readonly intervalMs: number
  /** How long a claimed delivery is nobody else's; longer than an attempt may take. */
  readonly leaseMs: number
  readonly metrics: Pick<EnforcerMetrics, 'webhooks'>
  readonly onError: (error: unknown) => void
  readonly now: () => number
  readonly random: () => number
}

type Claim = RpcRow<'claim_webhooks'>

// All are under way at once, so that none waits for its turn while its lease runs.
const CONCURRENCY = 16
const PRUNE_EVERY_MS = 3_600_000
const MAX_PRUNED = 1_000

/**
 * Sends what stands in the outbox. Any number of enforcers share it: a delivery is claimed for a lease, and sent again, with
 * the same id, when its sender died before it wrote down how it ended.
 */
export function startDelivering(options: DeliverOptions): Repetition {
  const { rpc, intervalMs, leaseMs, onError, now } = options
  let prunedAtMs = Number.NEGATIVE_INFINITY
  return startRepeating({
    run: async (signal) => {
      const claims = await rpc('claim_webhooks', { claim: { max_rows: CONCURRENCY, lease_ms: leaseMs } })
      await forEachBounded(claims, CONCURRENCY, (claim) => deliver(options, claim, signal), signal)
      if (claims.length > 0) return 0
      if (now() - prunedAtMs < PRUNE_EVERY_MS) return undefined
      const [row] = await rpc('prune_webhooks', { max_rows: MAX_PRUNED })
      if ((row?.pruned ?? 0) < MAX_PRUNED) prunedAtMs = now()
      return undefined
    },
    intervalMs,
    onError,
    now,
  })
}

async function deliver(
  { rpc, send, metrics, random }: DeliverOptions,
  claim: Claim,
  signal: AbortSignal,
): Promise<void> {
  const { id, attempt, url, secret, previous_secret, payload } = claim
  const secrets = previous_secret === null ? [secret] : [secret, previous_secret]
  // Aborted when the enforcer stops: the lease ends by itself.
  const result = await send({ id, url, body: payload, secrets }, signal)
  const retry_in_ms = result.delivered ? null : retryDelayMs(attempt, random)
  const [row] = await rpc('finish_webhook', { result: { id, attempt, ...result, retry_in_ms } })
  if (!row?.recorded) return
  const failed = retry_in_ms === null ? 'dead' : 'failed'
  metrics.webhooks.inc({ outcome: result.delivered ? 'delivered' : failed })
}
