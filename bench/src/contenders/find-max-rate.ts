import { median } from '../statistics.ts'
import { rateOf } from './contender.ts'
import { createPostEvents, type PostEventsOptions } from './post-events.ts'
import { runInTurn, type TurnOptions } from './run-in-turn.ts'

/** The shape of the load that the pipeline is measured with. */
export const BATCHED = { batchSize: 100, inFlight: 32 } as const

const ROUNDS = 2

/** The events per second of the whole pipeline in batches, for scenarios that load it to a part of that. */
export async function findMaxRate(
  options: Omit<PostEventsOptions, keyof typeof BATCHED>,
  turns: TurnOptions,
): Promise<number> {
  const contender = await createPostEvents({ ...options, ...BATCHED })
  const [runs = []] = await runInTurn([contender], { ...turns, rounds: Math.min(ROUNDS, turns.rounds) })
  await contender.close()
  return median(runs.map(rateOf))
}
