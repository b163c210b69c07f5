import type { Figure, Ratio } from '../report/report.ts'
import { ratioOf, spreadOf } from '../statistics.ts'
import { createSendRequests } from './bare-server.ts'
import { type Contender, rateOf } from './contender.ts'
import { runInTurn, shorter, type TurnOptions } from './run-in-turn.ts'

/** A kind of request that is sent to the token API and, just as it is, to a bare route. */
export interface Question {
  readonly name: string
  /** The least share of the bare route's rate that the token API shall reach. */
  readonly goal: number
  readonly makeRequests: (count: number) => Promise<Buffer[]>
}

/** Where questions are sent. */
export interface Sides {
  readonly tokenApi: string
  readonly bare: string
  readonly inFlight: number
}

/**
 * Sends each kind of request to both sides in turn. A long header takes its time with everybody who reads it: only
 * with the same requests a ratio tells what deciding costs.
 */
export async function compareWithBare(
  questions: readonly Question[],
  { tokenApi, bare, inFlight }: Sides,
  turns: TurnOptions,
): Promise<{ ratios: Ratio[]; figures: Figure[] }> {
  const contend = (name: string, url: string, { makeRequests }: Question): Promise<Contender> =>
    createSendRequests({ name, url, inFlight, status: 200, makeRequests })
  const contenders = await Promise.all(
    questions.flatMap((question) => [
      contend(`bare Fastify, ${question.name}`, bare, question),
      contend(question.name, tokenApi, question),
    ]),
  )
  const rates = (await runInTurn(contenders, shorter(turns))).map((runs) => runs.map(rateOf))
  for (const contender of contenders) await contender.close()
  return {
    ratios: questions.map(({ name, goal }, index) => ({
      name: `${name} / bare`,
      ...ratioOf(rates[2 * index + 1] ?? [], rates[2 * index] ?? []),
      goal: { is: 'at least', value: goal },
    })),
    figures: contenders.map(({ name }, index) => ({ name, unit: 'requests/s', ...spreadOf(rates[index] ?? []) })),
  }
}

/** Sends the same few requests over and over. */
export function inTurn(known: readonly Buffer[]): Question['makeRequests'] {
  return async (count) => Array.from({ length: count }, (_, index) => known[index % known.length] ?? Buffer.alloc(0))
}
