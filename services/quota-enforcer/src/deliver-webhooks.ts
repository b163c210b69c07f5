import type { Rpc, RpcRow } from '@tollgate/shared/store'
import { SealError, type SecretBox } from '@tollgate/shared/webhooks'
import type { EnforcerMetrics } from './metrics.ts'
import { type Repetition, startRepeating } from './repeat.ts'
import { resealSecrets } from './reseal-secrets.ts'
import { retryDelayMs } from './retry-delay.ts'
import type { SendResult, SendWebhook } from './send-webhook.ts'

/** What delivering stands on. */
export interface DeliverOptions {
  readonly rpc: Rpc
  readonly send: SendWebhook
  readonly box: SecretBox
  readonly intervalMs: number
  /** How long a claimed delivery is nobody else's; longer than an attempt may take. */
  readonly leaseMs: number
  readonly metrics: Pick<EnforcerMetrics, 'webhooks'>
  /** Told of how many secrets were sealed anew. */
  readonly onResealed: (endpoints: number) => void
  readonly onError: (error: unknown) => void
  readonly now: () => number
  readonly random: () => number
}

type Claim = RpcRow<'claim_webhooks'>

// All that is claimed is under way at once, so that none waits for its turn while its lease runs. More than one owner can take
// up: 20 endpoints that do not answer, with four deliveries each.
const CONCURRENCY = 100
const KEEP_EVERY_MS = 3_600_000
const RETRY_MS = 60_000
const MAX_PRUNED = 1_000

/**
 * Sends what stands in the outbox. Any number of enforcers share it: a delivery is claimed for a lease, and sent again, with
 * the same id, when its sender died before it wrote down how it ended. Whoever answers slowly is not waited for: what else is
 * due goes out meanwhile, and to that endpoint nothing more.
 */
export function startDelivering(options: DeliverOptions): Repetition {
  const { rpc, intervalMs, leaseMs, onError, now } = options
  const keepHouse = createHousekeeping(options)
  const underWay = new Map<string, { readonly endpointId: string; readonly end: Promise<void> }>()
  const begin = (claim: Claim, signal: AbortSignal): void => {
    const end = deliver(options, claim, signal)
      .catch(onError)
      .finally(() => {
        underWay.delete(claim.id)
        repetition.wake()
      })
    underWay.set(claim.id, { endpointId: claim.endpoint_id, end })
  }
  const repetition = startRepeating({
    run: async (signal) => {
      // What fails here is tried again later, and holds up no delivery.
      await keepHouse(signal).catch(onError)
      const max_rows = CONCURRENCY - underWay.size
      if (max_rows === 0) return undefined
      const busy = [...new Set([...underWay.values()].map(({ endpointId }) => endpointId))]
      const claims = await rpc('claim_webhooks', { claim: { max_rows, lease_ms: leaseMs, busy } })
      for (const claim of claims) begin(claim, signal)
      return claims.length > 0 ? 0 : undefined
    },
    intervalMs,
    onError,
    now,
  })
  return {
    ...repetition,
    stop: async () => {
      await repetition.stop()
      await Promise.all([...underWay.values()].map(({ end }) => end))
    },
  }
}

/**
 * Seals anew and prunes, when the first run begins and once an hour from then on, before anything is claimed: deliveries may
 * go on without a pause. Secrets are all sealed in one run; what is pruned goes slice by slice, a run each.
 */
function createHousekeeping(options: DeliverOptions): (signal: AbortSignal) => Promise<void> {
  const { rpc, now } = options
  let resealAtMs = Number.NEGATIVE_INFINITY
  let pruneAtMs = Number.NEGATIVE_INFINITY
  // Farther away than it is ever put: the clock was set back.
  const isDue = (atMs: number) => now() >= atMs || atMs - now() > KEEP_EVERY_MS
  return async (signal) => {
    if (isDue(resealAtMs)) {
      resealAtMs = now() + RETRY_MS
      await resealSecrets(options, signal)
      resealAtMs = now() + KEEP_EVERY_MS
    }
    if (!isDue(pruneAtMs)) return
    pruneAtMs = now() + RETRY_MS
    const [row] = await rpc('prune_webhooks', { max_rows: MAX_PRUNED })
    pruneAtMs = (row?.pruned ?? 0) < MAX_PRUNED ? now() + KEEP_EVERY_MS : now()
  }
}

async function deliver(options: DeliverOptions, claim: Claim, signal: AbortSignal): Promise<void> {
  const { rpc, metrics, random } = options
  const { id, attempt } = claim
  // Aborted when the enforcer stops: the lease ends by itself.
  const result = await sendSigned(options, claim, signal)
  const retry_in_ms = result.delivered ? null : retryDelayMs(attempt, random)
  const [row] = await rpc('finish_webhook', { result: { id, attempt, ...result, retry_in_ms } })
  if (!row?.recorded) return
  const failed = retry_in_ms === null ? 'dead' : 'failed'
  metrics.webhooks.inc({ outcome: result.delivered ? 'delivered' : failed })
}

async function sendSigned(
  { send, box, onError }: DeliverOptions,
  claim: Claim,
  signal: AbortSignal,
): Promise<SendResult> {
  const { id, endpoint_id, url, sealed_secret, previous_sealed_secret, payload } = claim
  const sealed = previous_sealed_secret === null ? [sealed_secret] : [sealed_secret, previous_sealed_secret]
  try {
    const secrets = sealed.map((secret) => box.open(secret, endpoint_id))
    return await send({ id, url, body: payload, secrets }, signal)
  } catch (error) {
    if (!(error instanceof SealError)) throw error
    // It stays due like any other failure: whoever forgot a key puts it back.
    onError(error)
    return { delivered: false, status: null, error: 'the key of the signing secret is missing at present' }
  }
}
