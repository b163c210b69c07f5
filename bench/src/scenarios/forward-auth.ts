import { createSendRequests, startBareServer } from '../contenders/bare-server.ts'
import { type Contender, rateOf } from '../contenders/contender.ts'
import { runInTurn, shorter } from '../contenders/run-in-turn.ts'
import { formatRequest } from '../load/http-request.ts'
import { openSessions } from '../load/open-sessions.ts'
import { openTokenSigner, type TokenSigner } from '../load/sign-tokens.ts'
import type { Ratio } from '../report/report.ts'
import type { BenchContext, Scenario } from '../scenario.ts'
import { ratioOf, spreadOf } from '../statistics.ts'

const PATH = '/v1/forward-auth'
const IN_FLIGHT = 32
const SEEN = 100
const SIGNED_AT_A_TIME = 200

/** What the question that nginx asks before each request costs, against a bare Fastify route without a body. */
export const forwardAuth: Scenario = {
  name: 'forward-auth',
  run: async (context) => {
    const bareServer = await startBareServer({ postBody: null, getBody: null })
    const contenders = await openContenders(context, bareServer.url)
    const runs = await runInTurn(contenders, shorter(context.turns))
    for (const contender of contenders) await contender.close()
    await bareServer.stop()
    const [bare = [], cookies = [], seen = [], fresh = []] = runs.map((own) => own.map(rateOf))
    const ratio = (name: string, rates: readonly number[], goal: number): Ratio => ({
      name,
      ...ratioOf(rates, bare),
      goal: { is: 'at least', value: goal },
    })
    return {
      scenario: forwardAuth.name,
      ratios: [
        ratio('sessions seen before / bare', cookies, 0.8),
        ratio('tokens seen before / bare', seen, 0.8),
        ratio('each token new / bare', fresh, 0.45),
      ],
      figures: contenders.map(({ name }, index) => ({
        name,
        unit: 'requests/s' as const,
        ...spreadOf(runs[index]?.map(rateOf) ?? []),
      })),
      notes: [
        `${IN_FLIGHT} in flight; ${SEEN} cookies or tokens in turn are "seen"; a session seen before asks nobody`,
      ],
    }
  },
}

async function openContenders({ bench }: BenchContext, bareUrl: string): Promise<Contender[]> {
  const stack = bench.stack.describe()
  const signer = await openTokenSigner(stack, bench.tokenSecret)
  const cookies = (await openSessions(stack, SEEN)).map((cookie) =>
    formatRequest({ method: 'GET', path: PATH, cookie }),
  )
  const tokens = await signRequests(signer, SEEN)
  const common = { inFlight: IN_FLIGHT, status: 200 }
  const inTurn = (known: readonly Buffer[]) => async (count: number) =>
    Array.from({ length: count }, (_, index) => known[index % known.length] ?? Buffer.alloc(0))
  return Promise.all([
    createSendRequests({ ...common, name: 'bare Fastify', url: bareUrl, makeRequests: inTurn(cookies) }),
    createSendRequests({ ...common, name: 'sessions seen before', url: bench.tokenApi, makeRequests: inTurn(cookies) }),
    createSendRequests({ ...common, name: 'tokens seen before', url: bench.tokenApi, makeRequests: inTurn(tokens) }),
    createSendRequests({
      ...common,
      name: 'each token new',
      url: bench.tokenApi,
      makeRequests: (count) => signRequests(signer, count),
    }),
  ])
}

async function signRequests(signer: TokenSigner, count: number): Promise<Buffer[]> {
  const requests: Buffer[] = []
  while (requests.length < count) {
    const signing = Array.from({ length: Math.min(SIGNED_AT_A_TIME, count - requests.length) }, () => signer.sign())
    for (const token of await Promise.all(signing)) requests.push(formatRequest({ method: 'GET', path: PATH, token }))
  }
  return requests
}
