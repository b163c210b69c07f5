import type { HttpAnswer, HttpConnection } from './http-connection.ts'

/**
 * Sends every request, each connection the next one as soon as its last was answered. `onAnswer` throws for an answer
 * that must not be. Returns how long each answer took, in ms.
 */
export async function sendAll<Request extends { readonly bytes: Buffer }>(
  connections: readonly HttpConnection[],
  requests: readonly Request[],
  onAnswer: (request: Request, answer: HttpAnswer) => void,
): Promise<number[]> {
  const timesMs: number[] = []
  let next = 0
  const work = async (connection: HttpConnection): Promise<void> => {
    for (let request = requests[next++]; request !== undefined; request = requests[next++]) {
      const sentAtMs = performance.now()
      const answer = await connection.exchange(request.bytes)
      timesMs.push(performance.now() - sentAtMs)
      onAnswer(request, answer)
    }
  }
  await Promise.all(connections.map(work))
  return timesMs
}
