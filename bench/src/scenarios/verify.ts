import { createSendRequests, startBareServer } from '../contenders/bare-server.ts'
import { type Contender, rateOf } from '../contenders/contender.ts'
import { runInTurn, shorter } from '../contenders/run-in-turn.ts'
import { openHttpConnection } from '../load/http-connection.ts'
import { formatRequest } from '../load/http-request.ts'
import { openTokenSigner, type TokenSigner } from '../load/sign-tokens.ts'
import type { Ratio } from '../report/report.ts'
import type { BenchContext, Scenario } from '../scenario.ts'
import { ratioOf, spreadOf } from '../statistics.ts'

const PATH = '/api/auth/verify'
const IN_FLIGHT = 32
const SEEN_TOKENS = 100
const SIGNED_AT_A_TIME = 200

/** What verify costs, against a bare Fastify route that answers the same body. */
export const verify: Scenario = {
  name: 'verify',
  run: async (context) => {
    const { bench, turns } = context
    const signer = await openTokenSigner(bench.stack.describe(), bench.tokenSecret)
    const bareServer = await startBareServer({ postBody: null, getBody: await askOnce(bench.tokenApi, signer) })
    const contenders = await openContenders(context, signer, bareServer.url)
    const runs = await runInTurn(contenders, shorter(turns))
    for (const contender of contenders) await contender.close()
    await bareServer.stop()
    const [bare = [], seen = [], fresh = []] = runs.map((own) => own.map(rateOf))
    const ratio = (name: string, rates: readonly number[], goal: number): Ratio => ({
      name,
      ...ratioOf(rates, bare),
      goal: { is: 'at least', value: goal },
    })
    return {
      scenario: verify.name,
      ratios: [ratio('tokens seen before / bare', seen, 0.8), ratio('each token new / bare', fresh, 0.45)],
      figures: contenders.map(({ name }, index) => ({
        name,
        unit: 'requests/s' as const,
        ...spreadOf(runs[index]?.map(rateOf) ?? []),
      })),
      notes: [`${IN_FLIGHT} in flight; ${SEEN_TOKENS} tokens in turn are "seen"; the bare route answers the same body`],
    }
  },
}

function openContenders({ bench }: BenchContext, signer: TokenSigner, bareUrl: string): Promise<Contender[]> {
  const common = { inFlight: IN_FLIGHT, status: 200 }
  let known: Buffer[] = []
  const makeSeen = async (count: number): Promise<Buffer[]> => {
    if (known.length === 0) known = await makeRequests(signer, SEEN_TOKENS)
    return Array.from({ length: count }, (_, index) => known[index % known.length] ?? Buffer.alloc(0))
  }
  return Promise.all([
    createSendRequests({ ...common, name: 'bare Fastify', url: bareUrl, makeRequests: makeSeen }),
    createSendRequests({ ...common, name: 'tokens seen before', url: bench.tokenApi, makeRequests: makeSeen }),
    createSendRequests({
      ...common,
      name: 'each token new',
      url: bench.tokenApi,
      makeRequests: (count) => makeRequests(signer, count),
    }),
  ])
}

async function makeRequests(signer: TokenSigner, count: number): Promise<Buffer[]> {
  const requests: Buffer[] = []
  while (requests.length < count) {
    const signing = Array.from({ length: Math.min(SIGNED_AT_A_TIME, count - requests.length) }, () => signer.sign())
    for (const token of await Promise.all(signing)) requests.push(formatRequest({ method: 'GET', path: PATH, token }))
  }
  return requests
}

async function askOnce(url: string, signer: TokenSigner): Promise<unknown> {
  const connection = await openHttpConnection(url)
  const { body } = await connection.exchange(formatRequest({ method: 'GET', path: PATH, token: await signer.sign() }))
  connection.close()
  return JSON.parse(body)
}
