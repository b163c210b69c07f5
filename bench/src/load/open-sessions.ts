import type { StackFile } from '@tollgate/local-stack'
import { z } from 'zod'
import { BenchError } from '../bench-error.ts'
import { signIn } from './sign-tokens.ts'

const addressAnswer = z.object({ url: z.string() })

/** Opens sessions at the proxy as browsers do, each for a handoff of its own; gives their cookies. */
export async function openSessions(stack: StackFile, count: number): Promise<string[]> {
  const headers = { authorization: `Bearer ${await signIn(stack)}` }
  const cookies: string[] = []
  while (cookies.length < count) {
    const answer = await fetch(`${stack.tokenApi}/api/librechat/auth`, { headers })
    const { search } = new URL(addressAnswer.parse(await answer.json()).url)
    const arrival = await fetch(`${stack.tokenApi}/v1/handoff${search}`, { redirect: 'manual' })
    const [cookie] = arrival.headers.getSetCookie()
    if (cookie === undefined) throw new BenchError(`a handoff opened no session: ${arrival.status}`)
    cookies.push(cookie.split(';', 1)[0] ?? '')
  }
  return cookies
}
