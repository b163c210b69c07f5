import { join } from 'node:path'
import { z } from 'zod'
import { formatForm } from '../load/format-form.ts'
import { startProcess } from '../stack/start-process.ts'

const hello = z.object({ url: z.string(), client: z.record(z.string(), z.string()) })

/** panva's oidc-provider beside the stack. */
export interface OidcProvider {
  readonly url: string
  /** Requests to introspect an access token, one token for all: the peer is asked for what it has just looked up. */
  makeIntrospections(count: number): Promise<Buffer[]>
  /** Requests to refresh, each with a refresh token of its own. */
  makeRefreshes(count: number): Promise<Buffer[]>
  stop(): Promise<void>
}

/** Starts it. */
export async function startOidcProvider(): Promise<OidcProvider> {
  const process = await startProcess(join(import.meta.dirname, '../oidc-provider/main.ts'), {})
  const { url, client } = hello.parse(process.hello)
  const make = async (kind: 'access' | 'refresh', count: number): Promise<string[]> =>
    z.array(z.string()).parse(await (await fetch(`${url}/make/${kind}/${count}`)).json())
  return {
    url,
    makeIntrospections: async (count) => {
      const [token = ''] = await make('access', 1)
      const request = formatForm('/token/introspection', { ...client, token })
      return Array.from({ length: count }, () => request)
    },
    makeRefreshes: async (count) =>
      (await make('refresh', count)).map((refresh_token) =>
        formatForm('/token', { ...client, grant_type: 'refresh_token', refresh_token }),
      ),
    stop: process.stop,
  }
}
