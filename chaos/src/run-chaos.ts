import { untilAborted } from '@tollgate/bench/until-aborted'
import type { Finding } from './audit/finding.ts'
import { beginRun, type Played, type Run, type RunOptions } from './begin-run.ts'
import { ChaosError } from './chaos-error.ts'
import { requirePrivileges } from './privileged/require-privileges.ts'
import type { ChaosOptions } from './read-options.ts'
import type { ChaosResult } from './report/result.ts'
import { describeFault } from './schedule/fault.ts'
import { planSchedule } from './schedule/plan-schedule.ts'

/** What a run stands on. */
export interface ChaosTools {
  readonly signal?: AbortSignal
  readonly log: (line: string) => void
  readonly now: () => number
  /** false: PostgreSQL without fsync. */
  readonly durable: boolean
}

/** Plays the schedule of a seed against a fresh stack under load, and audits what is left. @throws ChaosError when interrupted */
export async function runChaos(options: ChaosOptions, tools: ChaosTools): Promise<ChaosResult> {
  const { seed, minutes, privileged } = options
  const { log, signal, durable } = tools
  const seconds = minutes * 60
  const faults = planSchedule({ seed, seconds, privileged })
  log(`Seed ${seed}: ${faults.length} faults in ${minutes} min.`)
  for (const fault of faults) log(`  ${describeFault(fault)}`)
  if (privileged) requirePrivileges(log)
  const run = await begin({ seed, seconds, faults, durable, ownDisks: privileged, signal, log })
  const judged = await Promise.race([judge(run), ...(signal === undefined ? [] : [untilAborted(signal)])])
  const orphans = await run.stop()
  if (judged === undefined) throw new ChaosError(['Interrupted.', ...orphans.faults.map(leftBehind)].join('\n'))
  const { played, audited } = judged
  const findings = [...audited.findings, orphans]
  const { accepted, lost, twice } = audited.ledger
  return {
    ...{ seed, minutes, privileged, accepted, lost, twice },
    date: new Date(tools.now()).toISOString(),
    command: `pnpm chaos --seed ${seed} --minutes ${minutes}${privileged ? ' --privileged' : ''}`,
    isGood: findings.every((finding) => finding.faults.length === 0),
    drainSeconds: played instanceof Error ? null : played.drainSeconds,
    ...(played instanceof Error ? { faults: [], recoverySeconds: [] } : pick(played)),
    load: Object.fromEntries(run.load.counts),
    findings,
    skipped: privileged ? [] : ['full disks, power loss and lost packets (--privileged, as root on Linux)'],
  }
}

const pick = ({ faults, recoverySeconds, sizes }: Played) => ({ faults, recoverySeconds, sizes })

const leftBehind = (process: string) => `It left behind: ${process}`

async function begin(options: RunOptions): Promise<Run> {
  try {
    return await beginRun(options)
  } catch (cause) {
    throw options.signal?.aborted ? new ChaosError('Interrupted.', { cause }) : cause
  }
}

/** Plays a run to its end and audits it; an error in the play is what the audits find. */
async function judge(run: Run): Promise<{ played: Played | Error; audited: Audited }> {
  const played = await run.play().catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))))
  const audited = played instanceof Error ? failed('the run comes to its end', played) : await auditOrFail(run, played)
  return { played, audited }
}

type Audited = { ledger: { accepted: number; lost: number; twice: number }; findings: Finding[] }

async function auditOrFail(run: Run, played: Played): Promise<Audited> {
  const audited = await run.audit(played).catch((error: unknown) => failed('the audits come to their end', error))
  const drained: Finding = {
    audit: 'everything drains within two minutes',
    faults: played.drainSeconds === null ? ['something is still on its way'] : [],
    looked: `queues and inbox, ${played.drainSeconds ?? '> 120'} s`,
  }
  return { ledger: audited.ledger, findings: [drained, ...audited.findings] }
}

function failed(audit: string, error: unknown): Audited {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { ledger: { accepted: 0, lost: 0, twice: 0 }, findings: [{ audit, faults: [text], looked: '–' }] }
}
