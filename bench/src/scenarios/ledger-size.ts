import { createCallIngest } from '../contenders/call-ingest.ts'
import { type Contender, type Run, rateOf } from '../contenders/contender.ts'
import { createInsertRaw, openRawTable } from '../contenders/insert-raw.ts'
import { runInTurn } from '../contenders/run-in-turn.ts'
import { fillLedger } from '../load/fill-ledger.ts'
import { timeOrderedId } from '../load/time-ordered-id.ts'
import type { Figure, Ratio } from '../report/report.ts'
import type { BenchContext, Scenario } from '../scenario.ts'
import { ratioOf, spreadOf } from '../statistics.ts'

const SHAPE = { batchSize: 1_000, connections: 2 } as const
const KINDS = [
  { label: 'UUIDv7 ids', newId: timeOrderedId, goal: 0.9 },
  { label: 'random ids', newId: undefined, goal: 0.75 },
] as const

/** Whether recording stays as fast when the ledger holds millions of rows. */
export const ledgerSize: Scenario = {
  name: 'ledger-size',
  run: async (context) => {
    const { bench, members, audit, turns, rows } = context
    // Adding up millions of rows takes seconds: once for all runs of a size, before any figure is given.
    const contenders = await openContenders({ ...context, audit: { ...audit, requireExact: async () => undefined } })
    const empty = await runInTurn(contenders, turns)
    await audit.requireExact()
    audit.noteTotals(await fillLedger(bench.db, members, rows, turns.log))
    const full = await runInTurn(contenders, turns)
    await audit.requireExact()
    await Promise.all(contenders.map((contender) => contender.close()))
    const size = rows.toLocaleString('en-US')
    return {
      scenario: ledgerSize.name,
      ratios: KINDS.map(({ label, goal }, kind) =>
        compare(`${label}: with ${size} rows / without`, kind, empty, full, goal),
      ),
      figures: [...toFigures(contenders, empty, 'small ledger'), ...toFigures(contenders, full, `${size} rows`)],
      notes: [
        'ingest_usage called directly; each round is set against a raw insert into another table in the same round, so that a machine that got slower in between does not count as a slower ledger',
        'an identity is stored as a digest, which lands anywhere in its index; that of a UUIDv7 begins with the time',
        await describeSize(context),
      ],
    }
  },
}

async function openContenders({ bench, members, audit, readCpu }: BenchContext): Promise<Contender[]> {
  const { databaseUrl } = bench.stack
  const calls = KINDS.map(({ label, newId }) =>
    createCallIngest(
      {
        databaseUrl,
        members,
        audit,
        readCpu,
        label: ` (${label})`,
        ...(newId === undefined ? {} : { newId: () => newId() }),
      },
      SHAPE,
    ),
  )
  const raw = createInsertRaw(databaseUrl, members, await openRawTable(bench.db), SHAPE)
  return Promise.all([...calls, raw])
}

function compare(name: string, kind: number, empty: Run[][], full: Run[][], goal: number): Ratio {
  const relative = (runs: Run[][]) => {
    const raw = runs.at(-1) ?? []
    return (runs[kind] ?? []).map((run, round) => rateOf(run) / rateOf(raw[round] ?? run))
  }
  return { name, ...ratioOf(relative(full), relative(empty)), goal: { is: 'at least', value: goal } }
}

function toFigures(contenders: readonly Contender[], runs: Run[][], size: string): Figure[] {
  return contenders.map(({ name }, index) => ({
    name: `${name}, ${size}`,
    unit: 'events/s' as const,
    ...spreadOf((runs[index] ?? []).map(rateOf)),
  }))
}

async function describeSize({ bench }: BenchContext): Promise<string> {
  const { rows } = await bench.db.query<{ name: string; size: string }>(`
    select 'ledger' as name, pg_size_pretty(sum(pg_total_relation_size(relid))) as size
      from pg_partition_tree('tollgate.usage_events')
    union all select 'identities', pg_size_pretty(pg_total_relation_size('tollgate.usage_event_identities'))
    union all select 'shared_buffers', current_setting('shared_buffers')`)
  return rows.map(({ name, size }) => `${name} ${size}`).join(', ')
}
