import { formatRequest } from './http-request.ts'
import type { TokenSigner } from './sign-tokens.ts'

const SIGNED_AT_A_TIME = 200

/** Requests for `path`, each with a token of its own. */
export async function signRequests(signer: TokenSigner, path: string, count: number): Promise<Buffer[]> {
  const requests: Buffer[] = []
  while (requests.length < count) {
    const signing = Array.from({ length: Math.min(SIGNED_AT_A_TIME, count - requests.length) }, () => signer.sign())
    for (const token of await Promise.all(signing)) requests.push(formatRequest({ method: 'GET', path, token }))
  }
  return requests
}
