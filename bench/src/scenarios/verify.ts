import { compareWithBare, inTurn } from '../contenders/against-bare.ts'
import { startBareServer } from '../contenders/bare-server.ts'
import { openHttpConnection } from '../load/http-connection.ts'
import { signRequests } from '../load/sign-requests.ts'
import { openTokenSigner, type TokenSigner } from '../load/sign-tokens.ts'
import type { Scenario } from '../scenario.ts'

const PATH = '/api/auth/verify'
const IN_FLIGHT = 32
const SEEN_TOKENS = 100

/** What verify costs, against a bare Fastify route that answers the same body. */
export const verify: Scenario = {
  name: 'verify',
  run: async ({ bench, turns }) => {
    const signer = await openTokenSigner(bench.stack.describe(), bench.tokenSecret)
    const bareServer = await startBareServer({ postBody: null, getBody: await askOnce(bench.tokenApi, signer) })
    const found = await compareWithBare(
      [
        { name: 'tokens seen before', goal: 0.8, makeRequests: inTurn(await signRequests(signer, PATH, SEEN_TOKENS)) },
        { name: 'each token new', goal: 0.45, makeRequests: (count) => signRequests(signer, PATH, count) },
      ],
      { tokenApi: bench.tokenApi, bare: bareServer.url, inFlight: IN_FLIGHT },
      turns,
    )
    await bareServer.stop()
    return {
      scenario: verify.name,
      ...found,
      notes: [
        `${IN_FLIGHT} in flight; ${SEEN_TOKENS} tokens in turn are "seen"; the bare route is sent the same requests and answers the same body`,
      ],
    }
  },
}

async function askOnce(url: string, signer: TokenSigner): Promise<unknown> {
  const connection = await openHttpConnection(url)
  const [request = Buffer.alloc(0)] = await signRequests(signer, PATH, 1)
  const { body } = await connection.exchange(request)
  connection.close()
  return JSON.parse(body)
}
