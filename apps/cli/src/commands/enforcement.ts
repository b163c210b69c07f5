import { readStackFile } from '@tollgate/local-stack'
import { CONTROL_FIELD, enforcementControl } from '@tollgate/shared/contracts'
import type { RpcRow } from '@tollgate/shared/store'
import type { Command } from 'commander'
import { Redis } from 'ioredis'
import type { CommandIo } from '../command-io.ts'
import { CliError, EXIT } from '../operator/cli-error.ts'
import type { Operator, OperatorFlags } from '../operator/open-operator.ts'
import { addOperatorOptions, type CommandResult, runOperator } from '../operator/run-operator.ts'

type SwitchFlags = OperatorFlags & { readonly reason: string; readonly actor: string; readonly redisUrl?: string }
type Control = Omit<RpcRow<'load_enforcement_control'>, 'last_revision'>

const REDIS_TIMEOUT_MS = 2_000

/** Pauses or resumes all refusals for enforcement states; Postgres keeps it, Redis tells the gates at once. */
async function switchPause(paused: boolean, flags: SwitchFlags, io: CommandIo): Promise<void> {
  await runOperator(flags, io, async ({ rpc }): Promise<CommandResult> => {
    const change = { paused, actor: flags.actor, reason: flags.reason }
    const [control] = await rpc('set_enforcement_control', { change })
    if (control === undefined) throw new CliError('The database gave no answer.', EXIT.unavailable)
    const isTold = await tellGates(control, flags, io)
    const what = paused ? 'Enforcement is paused: nobody is refused for a limit.' : 'Enforcement is in force.'
    const when = isTold
      ? 'Every gate has been told.'
      : 'Redis was not reached: the gates read it from Postgres within 5 s.'
    const already = control.changed ? '' : ' (as before)'
    const { decision_id, mode, epoch } = control
    return {
      document: { paused: control.paused, changed: control.changed, mode, epoch, decision_id, told: isTold },
      text: `${what}${already} ${when}\nDecision ${decision_id ?? '–'}.`,
    }
  })
}

/** Publishes what holds for all as the enforcer does. False where Redis is not known or does not answer. */
async function tellGates(control: Control, flags: SwitchFlags, { env }: CommandIo): Promise<boolean> {
  const url = flags.redisUrl ?? env.REDIS_URL ?? readStackFile(flags.dir)?.redisUrl
  if (url === undefined) return false
  const message = JSON.stringify(
    enforcementControl.parse({
      ...control,
      control: true,
      epoch: Number(control.epoch),
      version_floor: Number(control.version_floor),
    }),
  )
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: REDIS_TIMEOUT_MS,
    commandTimeout: REDIS_TIMEOUT_MS,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  })
  // What fails is told by the command that fails.
  redis.on('error', () => undefined)
  try {
    const key = `${env.REDIS_NAMESPACE || 'tollgate'}:enforcement`
    await redis.hset(key, CONTROL_FIELD, message)
    await redis.publish(key, message)
    return true
  } catch {
    return false
  } finally {
    redis.disconnect()
  }
}

async function readControl({ rpc }: Operator): Promise<CommandResult> {
  const [control] = await rpc('load_enforcement_control', {})
  if (control === undefined) throw new CliError('The database gave no answer.', EXIT.unavailable)
  const { paused, mode, epoch, decision_id } = control
  const text = `${paused ? 'paused' : 'in force'}, mode ${mode}, epoch ${epoch}, last decision ${decision_id ?? '–'}`
  return { document: { paused, mode, epoch, decision_id }, text }
}

/** Adds `tollgate enforcement pause|resume|status`. */
export function addEnforcementCommand(program: Command, io: CommandIo): void {
  const group = program.command('enforcement').description('stop and resume all refusals for limits')
  const addSwitch = (name: string, description: string, paused: boolean) =>
    addOperatorOptions(group.command(name))
      .description(description)
      .requiredOption('--reason <text>', 'why; it stands in the decision and in the audit trail')
      .option('--actor <name>', 'who', 'operator')
      .option('--redis-url <url>', 'Redis of the gates (default: REDIS_URL, else the running stack)')
      .action((flags: SwitchFlags) => switchPause(paused, flags, io))
  addSwitch('pause', 'refuse nobody for a limit or a manual act, on every token API at once', true)
  addSwitch('resume', 'let decisions take effect again', false)
  addOperatorOptions(group.command('status'))
    .description('whether enforcement is paused, and how it is set')
    .action((flags: OperatorFlags) => runOperator(flags, io, readControl))
}
