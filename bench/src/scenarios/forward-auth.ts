import { compareWithBare, inTurn } from '../contenders/against-bare.ts'
import { startBareServer } from '../contenders/bare-server.ts'
import { formatRequest } from '../load/http-request.ts'
import { openSessions } from '../load/open-sessions.ts'
import { signRequests } from '../load/sign-requests.ts'
import { openTokenSigner } from '../load/sign-tokens.ts'
import type { Scenario } from '../scenario.ts'

const PATH = '/v1/forward-auth'
const IN_FLIGHT = 32
const SEEN = 100

/** What the question that nginx asks before each request costs, against a bare Fastify route without a body. */
export const forwardAuth: Scenario = {
  name: 'forward-auth',
  run: async ({ bench, turns }) => {
    const stack = bench.stack.describe()
    const signer = await openTokenSigner(stack, bench.tokenSecret)
    const cookies = (await openSessions(stack, SEEN)).map((cookie) =>
      formatRequest({ method: 'GET', path: PATH, cookie }),
    )
    const bareServer = await startBareServer({ postBody: null, getBody: null })
    const found = await compareWithBare(
      [
        { name: 'sessions seen before', goal: 0.8, makeRequests: inTurn(cookies) },
        { name: 'tokens seen before', goal: 0.8, makeRequests: inTurn(await signRequests(signer, PATH, SEEN)) },
        { name: 'each token new', goal: 0.45, makeRequests: (count) => signRequests(signer, PATH, count) },
      ],
      { tokenApi: bench.tokenApi, bare: bareServer.url, inFlight: IN_FLIGHT },
      turns,
    )
    await bareServer.stop()
    return {
      scenario: forwardAuth.name,
      ...found,
      notes: [
        `${IN_FLIGHT} in flight; ${SEEN} cookies or tokens in turn are "seen"; a session seen before asks nobody; the bare route is sent the same requests`,
      ],
    }
  },
}
