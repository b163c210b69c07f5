import { randomUUID } from 'node:crypto'
import { SCOPES, type Scope, scope } from '@tollgate/shared/contracts'
import { makeKey, type RpcRow } from '@tollgate/shared/store'
import { type Command, InvalidArgumentError } from 'commander'
import type { CommandIo } from '../command-io.ts'
import { formatTable } from '../demo/format.ts'
import { CliError } from '../operator/cli-error.ts'
import type { OperatorFlags } from '../operator/open-operator.ts'
import { readUuid } from '../operator/read-option.ts'
import { addOperatorOptions, type CommandResult, runOperator } from '../operator/run-operator.ts'

type Key = RpcRow<'list_service_keys'>
type ListFlags = OperatorFlags & { readonly organization?: string }
type CreateFlags = ListFlags & { readonly name: string; readonly scope: Scope[]; readonly expires?: string }
type RotateFlags = OperatorFlags & { readonly overlap: number }

// The acts of this command go on record under this name.
const ACTOR = 'cli'

function readScope(text: string, earlier: Scope[] = []): Scope[] {
  const parsed = scope.safeParse(text)
  if (!parsed.success) throw new InvalidArgumentError(`one of ${SCOPES.join(', ')} is needed.`)
  return [...earlier, parsed.data]
}

function readTime(text: string): string {
  const time = new Date(text)
  if (Number.isNaN(time.getTime())) throw new InvalidArgumentError('a time such as 2027-01-31T00:00:00Z is needed.')
  return time.toISOString()
}

function readHours(text: string): number {
  const hours = Number(text)
  if (!/^\d+$/.test(text) || hours > 720) throw new InvalidArgumentError('0 to 720 hours are possible.')
  return hours
}

function stateOf({ revoked_at, expires_at, replaced_by }: Key, nowMs: number): string {
  if (revoked_at !== null) return 'revoked'
  if (expires_at !== null && Date.parse(expires_at) <= nowMs) return 'expired'
  return replaced_by === null ? 'good' : 'replaced'
}

async function list({ organization, ...flags }: ListFlags, io: CommandIo): Promise<void> {
  await runOperator(flags, io, async ({ rpc }): Promise<CommandResult> => {
    const keys = await rpc('list_service_keys', { query: { organization_id: organization } })
    const rows = keys.map((key) => [
      ...[key.id, key.name, `${key.prefix}…`, stateOf(key, Date.now()), key.organization_id ?? 'operator'],
      ...[key.scopes.join(' '), key.last_used_at?.slice(0, 16) ?? 'never', key.expires_at?.slice(0, 16) ?? 'never'],
    ])
    const head = ['Id', 'Name', 'Begins', 'State', 'Belongs to', 'Scopes', 'Last used', 'Expires']
    return { document: keys, text: keys.length === 0 ? 'No keys.' : formatTable([head, ...rows], new Set()).join('\n') }
  })
}

/** The answer with a new key: the one time that its text is shown. */
function showNew(key: Key | undefined, text: string, otherwise: string): CommandResult {
  if (key === undefined) throw new CliError(otherwise)
  const note = `Key ${key.id} (${key.name}). This is its text; it is kept nowhere and not shown again:\n\n${text}`
  return { document: { ...key, key: text }, text: note }
}

async function create(flags: CreateFlags, io: CommandIo): Promise<void> {
  const { name, scope: scopes, organization = null, expires = null } = flags
  await runOperator(flags, io, async ({ rpc }) => {
    const { text, prefix, sha256 } = makeKey()
    const owner = { organization_id: organization, expires_at: expires, actor: ACTOR }
    const made = {
      id: randomUUID(),
      name,
      key_prefix: prefix,
      key_sha256: sha256,
      scopes: [...new Set(scopes)],
      ...owner,
    }
    const [key] = await rpc('create_service_key', { change: made })
    return showNew(key, text, 'There is no such organization.')
  })
}

async function rotate(id: string, flags: RotateFlags, io: CommandIo): Promise<void> {
  await runOperator(flags, io, async ({ rpc }) => {
    const { text, prefix, sha256 } = makeKey()
    const made = { id: readUuid(id), new_id: randomUUID(), key_prefix: prefix, key_sha256: sha256, actor: ACTOR }
    const [key] = await rpc('rotate_service_key', { change: { ...made, overlap_seconds: flags.overlap * 3_600 } })
    return showNew(key, text, 'There is no such key, or it is revoked, expired or replaced already.')
  })
}

async function revoke(id: string, flags: OperatorFlags, io: CommandIo): Promise<void> {
  await runOperator(flags, io, async ({ rpc }): Promise<CommandResult> => {
    const [key] = await rpc('revoke_service_key', { change: { id: readUuid(id), actor: ACTOR } })
    if (key === undefined) throw new CliError('There is no such key.')
    return {
      document: key,
      text: `Key ${key.id} (${key.name}) is revoked; every instance refuses it within two seconds.`,
    }
  })
}

/** Adds `tollgate keys list|create|rotate|revoke`: the keys of servers. */
export function addKeysCommand(program: Command, io: CommandIo): void {
  const group = program.command('keys').description('keys with which servers call the API')
  addOperatorOptions(group.command('list'))
    .description('list them, newest first, without their text')
    .option('--organization <id>', 'only those of this organization', readUuid)
    .action((flags: ListFlags) => list(flags, io))
  addOperatorOptions(group.command('create'))
    .description('make one; its text is shown once')
    .requiredOption('--name <name>', 'what people call it')
    .requiredOption('--scope <scope>', 'what it may do; repeat it for more', readScope)
    .option('--organization <id>', 'the organization it belongs to (default: the operator)', readUuid)
    .option('--expires <time>', 'when it ends (default: never)', readTime)
    .action((flags: CreateFlags) => create(flags, io))
  addOperatorOptions(group.command('rotate <id>'))
    .description('make a successor of the same rights; both are good for the overlap')
    .option('--overlap <hours>', 'how long the old one stays good', readHours, 24)
    .action((id: string, flags: RotateFlags) => rotate(id, flags, io))
  addOperatorOptions(group.command('revoke <id>'))
    .description('end one')
    .action((id: string, flags: OperatorFlags) => revoke(id, flags, io))
}
