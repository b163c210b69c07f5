import { webcrypto } from 'node:crypto'
import { type JWTPayload, SignJWT } from 'jose'
import { type Contender, time } from './contender.ts'

/** jose alone, signing the same claims in one process: the least that issuing can cost. */
export async function createSignWithJose(claims: JWTPayload, inFlight: number): Promise<Contender> {
  const bytes = webcrypto.getRandomValues(new Uint8Array(32))
  const key = await webcrypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  const sign = () => new SignJWT({ ...claims }).setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' }).sign(key)
  return {
    name: "jose's bare signing",
    firstCount: 2_000,
    run: async (count) => {
      const { seconds } = await time(async () => {
        let left = count
        await Promise.all(
          Array.from({ length: inFlight }, async () => {
            while (left-- > 0) await sign()
          }),
        )
      })
      return { count, seconds, answerTimesMs: [], cpuUs: {} }
    },
    close: async () => undefined,
  }
}
