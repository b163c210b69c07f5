import { type Contender, type Run, rateOf } from './contender.ts'

/** How contenders are run. */
export interface TurnOptions {
  readonly seconds: number
  readonly rounds: number
  readonly log: (line: string) => void
}

/**
 * Two thirds of the time: for contenders that do one plain request after the other, thousands in a measurement. What they
 * differ by from round to round is the machine's doing, and does not get less in a longer one.
 */
export function shorter(turns: TurnOptions): TurnOptions {
  return { ...turns, seconds: (turns.seconds * 2) / 3 }
}

/**
 * Runs the contenders one after the other, round by round, so that what slows the machine down for a while hits all of
 * them. The first run of each is a warm-up that is not counted, unless it has just had one.
 * @returns the runs of each contender, in the order of the rounds
 */
export async function runInTurn(contenders: readonly Contender[], options: TurnOptions): Promise<Run[][]> {
  const { seconds, rounds, log } = options
  const last: Run[] = []
  for (const contender of contenders) last.push(contender.warm ?? (await warmUp(contender, seconds)))
  const runs: Run[][] = contenders.map(() => [])
  for (let round = 1; round <= rounds; round++) {
    for (const [index, contender] of contenders.entries()) {
      const before = last[index]
      if (before === undefined) continue
      const run = await contender.run(Math.ceil(rateOf(before) * seconds))
      last[index] = run
      runs[index]?.push(run)
      log(`  round ${round} of ${rounds}: ${contender.name}: ${Math.round(rateOf(run)).toLocaleString('en-US')}/s`)
    }
  }
  return runs
}

// The first run opens connections and plans statements; the second, still short, is as fast as it gets.
async function warmUp(contender: Contender, seconds: number): Promise<Run> {
  const cold = await contender.run(contender.firstCount)
  return contender.run(Math.ceil(Math.max(contender.firstCount, rateOf(cold) * Math.min(0.5, seconds / 4))))
}

/** Opens a contender with each setting, and keeps the one that is fastest in a short run. */
export async function pickFastest<Setting>(
  settings: readonly Setting[],
  open: (setting: Setting) => Promise<Contender>,
  { seconds, log }: TurnOptions,
): Promise<Contender> {
  let best: { contender: Contender; rate: number } | undefined
  for (const setting of settings) {
    const contender = await open(setting)
    const warm = await warmUp(contender, seconds)
    const rate = rateOf(warm)
    log(`  trying ${contender.name}: ${Math.round(rate).toLocaleString('en-US')}/s`)
    const isBetter = best === undefined || rate > best.rate
    await (isBetter ? best?.contender : contender)?.close()
    if (isBetter) best = { contender: { ...contender, warm }, rate }
  }
  if (best === undefined) throw new RangeError('there is no setting to try')
  return best.contender
}
