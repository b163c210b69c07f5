import { createPgRpc, createSupabaseRpc } from '@tollgate/shared/store'
import { createCallRpc } from '../contenders/call-rpc.ts'
import { rateOf } from '../contenders/contender.ts'
import { runInTurn } from '../contenders/run-in-turn.ts'
import type { Scenario } from '../scenario.ts'
import { ratioOf, spreadOf } from '../statistics.ts'

const SHAPE = { batchSize: 1_000, connections: 2 } as const
const TIMEOUT_MS = 15_000

/** What the way to the database costs: supabase-js over HTTP against direct Postgres. */
export const storeTransports: Scenario = {
  name: 'store-transports',
  run: async ({ bench, members, audit, turns }) => {
    const { url, secretKey } = bench.stack.describe().supabase
    const onError = () => undefined
    const direct = createPgRpc({
      connectionString: bench.stack.databaseUrl,
      max: SHAPE.connections,
      role: 'tollgate_usage_worker',
      applicationName: 'bench',
      statementTimeoutMs: TIMEOUT_MS,
      onError,
    })
    const contenders = [
      createCallRpc({ name: 'pg', store: direct, members, audit }, SHAPE),
      createCallRpc(
        { name: 'supabase-js', store: createSupabaseRpc({ url, secretKey, timeoutMs: TIMEOUT_MS }), members, audit },
        SHAPE,
      ),
    ]
    const rates = (await runInTurn(contenders, turns)).map((runs) => runs.map(rateOf))
    await Promise.all(contenders.map((contender) => contender.close()))
    const [pg = [], supabase = []] = rates
    return {
      scenario: storeTransports.name,
      ratios: [{ name: 'supabase-js / pg', ...ratioOf(supabase, pg) }],
      figures: contenders.map(({ name }, index) => ({
        name,
        unit: 'events/s' as const,
        ...spreadOf(rates[index] ?? []),
      })),
      notes: ['the HTTP server is @supabase/lite, on the same cores; a hosted PostgREST is neither'],
    }
  },
}
