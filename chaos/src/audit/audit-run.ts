import type { LimitRun } from '@tollgate/bench/holds'
import { createPgRpc } from '@tollgate/shared/store'
import type { Load } from '../load/run-load.ts'
import type { Sample } from '../sample/sample.ts'
import type { Sampling } from '../sample/start-sampling.ts'
import type { ChaosStack } from '../stack/open-chaos-stack.ts'
import { checkLimit } from './check-limit.ts'
import { compareCopies } from './compare-copies.ts'
import { compareLedger, type LedgerFinding } from './compare-ledger.ts'
import { compareSums, reconcileDry } from './compare-rollups.ts'
import { compareStates } from './compare-states.ts'
import { compareUse } from './compare-use.ts'
import { findConflicts } from './find-conflicts.ts'
import { findLeftovers } from './find-leftovers.ts'
import type { Finding } from './finding.ts'
import { requireFlat } from './require-flat.ts'
import { auditPatiently } from './wait-until-drained.ts'

/** What an audit looks at. */
export interface Evidence {
  readonly chaos: ChaosStack
  readonly load: Load
  readonly spending: LimitRun
  readonly sampling: Sampling
  /** Taken before the first fault. */
  readonly baseline: Sample
}

// The lease of a hold whose caller's request was granted twice.
const HOLDS_MS = 130_000
const PUBLISH_MS = 30_000
// An idle pool gives its connections back after ten seconds.
const IDLE_MS = 45_000
const OPERATOR = { max: 2, applicationName: 'chaos-audit', statementTimeoutMs: 60_000, onError: () => undefined }

/** Compares everything with everything else, after the load has ended and the queues have drained. */
export async function auditRun(evidence: Evidence): Promise<{ ledger: LedgerFinding; findings: Finding[] }> {
  const { chaos, load, spending, sampling, baseline } = evidence
  const { db, redis, stack, surprises } = chaos
  const { rpc, close } = createPgRpc({ connectionString: stack.databaseUrl, ...OPERATOR })
  try {
    const leftovers = await auditPatiently(() => findLeftovers(db), HOLDS_MS)
    const states = await auditPatiently(() => compareStates(db, load.organizations), PUBLISH_MS)
    const copies = await auditPatiently(() => compareCopies(rpc, redis), PUBLISH_MS)
    const ledger = await compareLedger(db, load.context.book.usage)
    const books = [await reconcileDry(rpc), await compareSums(db)]
    const use = await auditPatiently(async () => compareUse(baseline, await sampling.take()), IDLE_MS)
    const { violations } = load.context.book
    const findings = [
      ...[ledger, ...books, states, copies, leftovers, checkLimit(spending)],
      { audit: 'promises kept while it went on', faults: violations, looked: 'answers of the API' },
      { audit: 'nothing ended by itself', faults: surprises, looked: 'all processes' },
      ...[findConflicts(sampling.samples), use, requireFlat(sampling.samples)],
    ]
    return { ledger, findings }
  } finally {
    await close()
  }
}
