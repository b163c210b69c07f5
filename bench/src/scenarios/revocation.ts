import { BenchError } from '../bench-error.ts'
import { addServiceKey } from '../load/add-service-key.ts'
import { formatForm } from '../load/format-form.ts'
import { type HttpConnection, openHttpConnection } from '../load/http-connection.ts'
import { formatRequest } from '../load/http-request.ts'
import { openTokenSigner } from '../load/sign-tokens.ts'
import type { Figure, Goal } from '../report/report.ts'
import type { Scenario } from '../scenario.ts'
import { startSecondApi } from '../stack/start-second-api.ts'
import { percentile } from '../statistics.ts'

const REVOCATIONS = 1_000
const TIMEOUT_MS = 10_000
const GOAL_P99_MS = 50

/** How long a revoked token still passes verify on either of two instances, and how long the answer takes. */
export const revocation: Scenario = {
  name: 'revocation',
  run: async ({ bench }) => {
    const second = await startSecondApi(bench)
    const key = await addServiceKey(bench.db, ['tokens:revoke'])
    const signer = await openTokenSigner(bench.stack.describe(), bench.tokenSecret)
    const revoking = await openHttpConnection(bench.tokenApi)
    const checking = await Promise.all([openHttpConnection(bench.tokenApi), openHttpConnection(second.url)])
    const [refusedMs, answeredMs]: [number[], number[]] = [[], []]
    for (let round = 0; round < REVOCATIONS; round++) {
      const token = await signer.sign()
      const verify = formatRequest({ method: 'GET', path: '/api/auth/verify', token })
      for (const connection of checking) await require200(connection, verify)
      const begunAtMs = performance.now()
      const answered = revoking.exchange(formatForm('/oauth/revoke', { token }, key)).then(({ status, body }) => {
        if (status !== 200) throw new BenchError(`revoke: ${status} ${body}`)
        return performance.now() - begunAtMs
      })
      const refused = await Promise.all(checking.map((connection) => timeUntilRefused(connection, verify, begunAtMs)))
      refusedMs.push(Math.max(...refused))
      answeredMs.push(await answered)
    }
    for (const connection of [revoking, ...checking]) connection.close()
    await second.stop()
    return {
      scenario: revocation.name,
      ratios: [],
      figures: [
        toFigure('first refusal on both instances, p50', refusedMs, 50),
        toFigure('first refusal on both instances, p99', refusedMs, 99, { is: 'at most', value: GOAL_P99_MS }),
        toFigure('answer, p50', answeredMs, 50),
        toFigure('answer, p99', answeredMs, 99),
      ],
      notes: [
        `from sending POST /oauth/revoke; ${REVOCATIONS.toLocaleString('en-US')} tokens, one after the other; min – max are the extremes`,
      ],
    }
  },
}

async function require200(connection: HttpConnection, verify: Buffer): Promise<void> {
  const { status, body } = await connection.exchange(verify)
  if (status !== 200) throw new BenchError(`verify refused before the revocation: ${status} ${body}`)
}

async function timeUntilRefused(connection: HttpConnection, verify: Buffer, begunAtMs: number): Promise<number> {
  for (;;) {
    const { status } = await connection.exchange(verify)
    const tookMs = performance.now() - begunAtMs
    if (status === 401) return tookMs
    if (tookMs > TIMEOUT_MS) throw new BenchError('verify still accepts a token that was revoked.')
  }
}

function toFigure(name: string, timesMs: readonly number[], percent: number, goal?: Goal): Figure {
  const value = percentile(timesMs, percent)
  return { name, unit: 'ms', value, min: Math.min(...timesMs), max: Math.max(...timesMs), ...(goal ? { goal } : {}) }
}
