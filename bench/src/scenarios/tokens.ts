import { decodeJwt } from 'jose'
import { createSendRequests } from '../contenders/bare-server.ts'
import { type Contender, rateOf } from '../contenders/contender.ts'
import { startOidcProvider } from '../contenders/oidc-provider.ts'
import { runInTurn, shorter } from '../contenders/run-in-turn.ts'
import { createSignWithJose } from '../contenders/sign-with-jose.ts'
import { addServiceKey } from '../load/add-service-key.ts'
import { formatForm } from '../load/format-form.ts'
import { formatRequest } from '../load/http-request.ts'
import { makeRefreshTokens } from '../load/make-refresh-tokens.ts'
import { openTokenSigner } from '../load/sign-tokens.ts'
import type { Ratio } from '../report/report.ts'
import type { BenchContext, Scenario } from '../scenario.ts'
import { ratioOf, spreadOf } from '../statistics.ts'

const IN_FLIGHT = 32

/** What issuing, refreshing and introspecting cost, against jose alone and against panva's oidc-provider. */
export const tokens: Scenario = {
  name: 'tokens',
  run: async (context) => {
    const peer = await startOidcProvider()
    const contenders = await openContenders(context, peer)
    const runs = await runInTurn(contenders, shorter(context.turns))
    for (const contender of contenders) await contender.close()
    await peer.stop()
    const rates = runs.map((own) => own.map(rateOf))
    const [signing = [], issuing = [], theirLookups = [], lookups = [], theirRefreshes = [], refreshes = []] = rates
    const ratio = (name: string, ours: readonly number[], theirs: readonly number[]): Ratio => ({
      name,
      ...ratioOf(ours, theirs),
    })
    return {
      scenario: tokens.name,
      ratios: [
        ratio("POST /v1/tokens / jose's bare signing", issuing, signing),
        ratio('introspection / oidc-provider', lookups, theirLookups),
        ratio('refresh / oidc-provider', refreshes, theirRefreshes),
      ],
      figures: contenders.map(({ name }, index) => ({
        name,
        unit: 'requests/s' as const,
        ...spreadOf(rates[index] ?? []),
      })),
      notes: [
        `${IN_FLIGHT} in flight`,
        'ours commits the login session and its event in Postgres before it answers; oidc-provider keeps its tokens in memory',
      ],
    }
  },
}

type Peer = Awaited<ReturnType<typeof startOidcProvider>>

async function openContenders({ bench, members }: BenchContext, peer: Peer): Promise<Contender[]> {
  const key = await addServiceKey(bench.db, ['tokens:issue', 'tokens:introspect'])
  const signer = await openTokenSigner(bench.stack.describe(), bench.tokenSecret)
  const token = await signer.sign()
  const json = (path: string, value: object) =>
    formatRequest({ method: 'POST', path, token: key, body: { type: 'application/json', text: JSON.stringify(value) } })
  const issue = async (count: number) =>
    Array.from({ length: count }, (_, index) =>
      json('/v1/tokens', { user_id: members[index % members.length]?.userId }),
    )
  const introspect = async (count: number) =>
    Array.from({ length: count }, () => formatForm('/oauth/introspect', { token }, key))
  const refresh = async (count: number) =>
    (await makeRefreshTokens(bench.db, bench.refreshSecret, members, count)).map((refresh_token) =>
      json('/api/librechat/refresh', { refresh_token }),
    )
  const ours = { inFlight: IN_FLIGHT, url: bench.tokenApi }
  const theirs = { inFlight: IN_FLIGHT, url: peer.url, status: 200 }
  const contenders = [await createSignWithJose(decodeJwt(token), IN_FLIGHT)]
  for (const options of [
    { ...ours, name: 'issuing', status: 201, makeRequests: issue },
    { ...theirs, name: 'oidc-provider introspection', makeRequests: peer.makeIntrospections },
    { ...ours, name: 'introspection', status: 200, makeRequests: introspect },
    { ...theirs, name: 'oidc-provider refresh', makeRequests: peer.makeRefreshes },
    { ...ours, name: 'refresh', status: 200, makeRequests: refresh },
  ]) {
    const contender = await createSendRequests(options)
    // A server gives a new connection a few seconds for its first request; the others have their turn before.
    await contender.run(IN_FLIGHT)
    contenders.push({ ...contender, firstCount: 200 })
  }
  return contenders
}
