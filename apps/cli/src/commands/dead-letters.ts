import { type Command, InvalidArgumentError } from 'commander'
import type { CommandIo } from '../command-io.ts'
import { formatCount, formatTable } from '../demo/format.ts'
import { CliError, EXIT } from '../operator/cli-error.ts'
import type { OperatorFlags } from '../operator/open-operator.ts'
import { addOperatorOptions, type CommandResult, runOperator } from '../operator/run-operator.ts'

interface SelectionFlags extends OperatorFlags {
  readonly all?: boolean
  readonly queue?: string
  readonly reason?: string
}

type ListFlags = SelectionFlags & { readonly limit: number; readonly payload?: boolean }

const SHOWN_DETAIL = 60

function readLimit(text: string): number {
  const limit = Number(text)
  if (!/^\d+$/.test(text) || limit < 1 || limit > 10_000) throw new InvalidArgumentError('1 to 10,000 are possible.')
  return limit
}

function readIds(ids: readonly string[]): string[] {
  const odd = ids.find((id) => !/^\d{1,18}$/.test(id))
  if (odd !== undefined) throw new CliError(`${JSON.stringify(odd)} is no id of a dead letter.`, EXIT.misused)
  return [...ids]
}

/** Letters by id, or by queue and reason; everything only when somebody says so. */
function select(ids: readonly string[], { all, queue, reason }: SelectionFlags) {
  const isFiltered = queue !== undefined || reason !== undefined
  if (ids.length === 0 && !all && !isFiltered) {
    throw new CliError('Which ones? Give ids, --queue, --reason or --all.', EXIT.misused)
  }
  return { ...(ids.length > 0 ? { ids: readIds(ids) } : {}), queue, reason }
}

async function list(flags: ListFlags, io: CommandIo): Promise<void> {
  await runOperator(flags, io, async ({ rpc }): Promise<CommandResult> => {
    const { queue, reason, limit } = flags
    const letters = await rpc('list_dead_letters', { selection: { queue, reason }, max_rows: limit })
    const rows = letters.map((row) => [
      row.id,
      row.created_at.slice(0, 19),
      row.queue,
      row.reason,
      formatCount(row.events ?? 0),
      (row.detail ?? '').slice(0, SHOWN_DETAIL),
      ...(flags.payload ? [row.payload] : []),
    ])
    const text = formatTable([['Id', 'Set aside', 'Queue', 'Reason', 'Events', 'Detail'], ...rows], new Set([0, 4]))
    return { document: letters, text: letters.length === 0 ? 'No dead letters.' : text.join('\n') }
  })
}

async function replay(ids: readonly string[], flags: SelectionFlags, io: CommandIo): Promise<void> {
  const selection = select(ids, flags)
  await runOperator(flags, io, async ({ rpc }): Promise<CommandResult> => {
    const [result] = await rpc('replay_dead_letters', { selection })
    const { replayed = 0, events = 0, unreadable = [] } = result ?? {}
    const kept = unreadable.length > 0 ? ` Not replayable, kept: ${unreadable.join(', ')}.` : ''
    const text = `${formatCount(replayed)} dead letters with ${formatCount(events)} events put into the inbox; the workers record them.${kept}`
    return {
      document: { replayed, events, unreadable },
      text,
      exitCode: unreadable.length > 0 ? EXIT.found : EXIT.done,
    }
  })
}

async function drop(ids: readonly string[], flags: SelectionFlags, io: CommandIo): Promise<void> {
  const selection = select(ids, flags)
  await runOperator(flags, io, async ({ rpc }): Promise<CommandResult> => {
    const [result] = await rpc('drop_dead_letters', { selection })
    const dropped = result?.dropped ?? 0
    return { document: { dropped }, text: `${formatCount(dropped)} dead letters dropped.` }
  })
}

const addSelection = (command: Command): Command =>
  addOperatorOptions(command)
    .option('--queue <name>', 'only those of this queue')
    .option('--reason <reason>', 'only those with this reason')

/** Adds `tollgate dead-letters list|replay|drop`: what could not be recorded. */
export function addDeadLettersCommand(program: Command, io: CommandIo): void {
  const group = program.command('dead-letters').description('events that could not be recorded after their retries')
  addSelection(group.command('list'))
    .description('list them, newest first')
    .option('--limit <count>', 'at most so many', readLimit, 100)
    .option('--payload', 'with the whole content')
    .action((flags: ListFlags) => list(flags, io))
  addSelection(group.command('replay [ids...]'))
    .description('hand their events to the workers again; what was counted meanwhile is a duplicate')
    .option('--all', 'all of them')
    .action((ids: string[], flags: SelectionFlags) => replay(ids, flags, io))
  addSelection(group.command('drop [ids...]'))
    .description('forget them')
    .option('--all', 'all of them')
    .action((ids: string[], flags: SelectionFlags) => drop(ids, flags, io))
}
