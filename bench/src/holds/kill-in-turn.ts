import { setTimeout as delay } from 'node:timers/promises'
import type { Server, Stack } from '@tollgate/local-stack'

/**
 * Kills the two instances of the API, enforcer and worker one after the other and starts each again, once every round of
 * `roundSeconds`; Redis once, in the middle. Gives how many were killed.
 */
export async function killInTurn(
  stack: Pick<Stack, 'services' | 'redis'>,
  secondApi: Server,
  seconds: number,
  roundSeconds: number,
): Promise<number> {
  const { services, redis } = stack
  const rounds = Math.max(1, Math.floor(seconds / roundSeconds))
  const turn = [services['token-api'], services['quota-enforcer'], secondApi, services['usage-worker']]
  let kills = 0
  const strike = async (server: Server) => {
    await delay((roundSeconds * 1_000) / (turn.length + 2))
    await server.kill()
    kills++
    await server.start()
  }
  for (let round = 0; round < rounds; round++) {
    for (const server of turn) await strike(server)
    if (round === Math.floor((rounds - 1) / 2)) await strike(redis)
  }
  return kills
}
