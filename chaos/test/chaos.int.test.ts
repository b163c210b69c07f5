import { copySeed } from '@tollgate/local-stack/testing'
import pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { compareLedger } from '../src/audit/compare-ledger.ts'
import { compareSums } from '../src/audit/compare-rollups.ts'
import { compareStates } from '../src/audit/compare-states.ts'
import { findLeftovers } from '../src/audit/find-leftovers.ts'
import type { Finding } from '../src/audit/finding.ts'
import { beginRun, type Played, type Run } from '../src/begin-run.ts'
import { createInjector } from '../src/faults/inject-fault.ts'
import type { Fault } from '../src/schedule/fault.ts'
import { planSchedule } from '../src/schedule/plan-schedule.ts'

// Kills of Postgres, a worker and Redis, and a rolling restart among them.
const SEED = 48_724
const SECONDS = 9
// Some twenty seconds on a quiet machine.
const PATIENCE_MS = 300_000

let run: Run
let played: Played
const faults = planSchedule({ seed: SEED, seconds: SECONDS, privileged: false })
beforeAll(async () => {
  const quiet = { durable: false, ownDisks: false, log: () => undefined, prepareDir: copySeed }
  run = await beginRun({ seed: SEED, seconds: SECONDS, faults, ...quiet })
  played = await run.play()
}, PATIENCE_MS)
afterAll(() => run.stop())

test(
  'a short schedule under load loses nothing, doubles nothing and leaves nothing behind',
  async () => {
    expect(played.faults.map(({ kind }) => kind)).toEqual(faults.map(({ kind }) => kind))
    expect(played.drainSeconds).not.toBeNull()
    const { ledger, findings } = await run.audit(played)
    expect(findings.filter((finding) => finding.faults.length > 0)).toEqual([])
    expect(ledger.accepted).toBeGreaterThan(500)
    expect(run.load.counts.get('corrections')).toBeGreaterThan(0)
    expect(run.load.counts.get('events sent again')).toBeGreaterThan(0)
  },
  PATIENCE_MS,
)

/** What the audits say after somebody has tampered with the books; nothing stays of it. */
async function auditTampered(
  tamper: string,
  audits: readonly ((db: pg.Client) => Promise<Finding>)[],
): Promise<string[]> {
  const client = new pg.Client(run.chaos.stack.databaseUrl)
  await client.connect()
  try {
    await client.query('begin')
    const { rowCount } = await client.query(tamper)
    expect(rowCount).toBe(1)
    const findings: Finding[] = []
    for (const audit of audits) findings.push(await audit(client))
    return findings.filter(({ faults: found }) => found.length > 0).map(({ audit }) => audit)
  } finally {
    await client.query('rollback')
    await client.end()
  }
}

const ONE = `(select organization_id, digest from tollgate.usage_events where entry = 'usage'
  and not exists (select from tollgate.usage_events a where a.entry <> 'usage' and a.digest = usage_events.digest) limit 1)`
const [LEDGER, SUMS] = ['ledger = what was sent', 'rollups, sessions and periods = ledger (plain sums)']

test.each([
  [
    'an event that was lost',
    `delete from tollgate.usage_events where (organization_id, digest) in ${ONE}`,
    [LEDGER, SUMS],
  ],
  [
    'an event that was counted twice',
    `insert into tollgate.usage_events select * from tollgate.usage_events where (organization_id, digest) in ${ONE}`,
    [LEDGER, SUMS],
  ],
  [
    'an event that nobody sent',
    `update tollgate.usage_events set event_id = 'stranger' where (organization_id, digest) in ${ONE}`,
    [LEDGER],
  ],
  [
    'a rollup that somebody wrote into',
    `update public.usage_metrics set tokens_used = tokens_used + 1
      where (organization_id, user_id, date) = (select organization_id, user_id, date from public.usage_metrics limit 1)`,
    [SUMS],
  ],
])('the same audits go red for %s', async (_, tamper, red) => {
  expect(await auditTampered(tamper, [(db) => compareLedger(db, run.load.context.book.usage), compareSums])).toEqual(
    red,
  )
})

test('they go red for a state that is not the one of its total, and for what was buried', async () => {
  const [organization] = run.load.organizations
  const lie = `update tollgate.enforcement_states set state = case state when 'warned' then 'active' else 'warned' end
    where organization_id = '${organization?.id}'`
  expect(await auditTampered(lie, [(db) => compareStates(db, run.load.organizations)])).toHaveLength(1)
  const bury = `insert into tollgate.dead_letters (queue, reason, payload) values ('usage-events', 'x', '{}')`
  expect(await auditTampered(bury, [findLeftovers])).toHaveLength(1)
})

// The last one: what it killed stays away.
test('a run that stops ends the faults under way, and starts nothing again', async () => {
  const stopping = new AbortController()
  const { inject, settle } = createInjector(run.chaos, stopping.signal)
  const fault = (kind: Fault['kind'], target: string): Fault => ({
    ...{ number: 1, round: 1, atSeconds: 0, seconds: 3_600, kind, target, amount: 0 },
  })
  const kill = fault('kill-service', 'quota-enforcer-2')
  const done = Promise.allSettled([kill, kill, fault('slow-sql', 'tollgate.usage_events')].map(inject))
  const victim = run.chaos.process(kill.target)
  const locks = `select from pg_stat_activity where application_name = 'chaos' and state = 'idle in transaction'`
  const countLocks = async () => (await run.chaos.db.query(locks)).rowCount
  await vi.waitFor(async () => expect([victim.pid, await countLocks()]).toEqual([null, 1]), 30_000)
  stopping.abort()
  await settle()
  expect((await done).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  await expect(inject(fault('deploy', 'all'))).rejects.toThrow('aborted')
  expect([victim.pid, await countLocks()]).toEqual([null, 0])
})
