import { createHash } from 'node:crypto'
import { createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runCli } from './run-cli.ts'

let database: TestDatabase
let admin: pg.Client

beforeAll(async () => {
  database = await createTestDatabase()
  admin = new pg.Client(database.databaseUrl)
  await admin.connect()
})
afterAll(async () => {
  await admin.end()
  await database.drop()
})

const run = async (...args: string[]) => {
  const { code, stdout, stderr } = await runCli(['keys', ...args, '--json'], database)
  return { code, stderr, document: stdout === '' ? null : JSON.parse(stdout) }
}
const isGood = async (key: string) => {
  const find = 'select scopes from public.find_service_key($1)'
  return (await admin.query(find, [createHash('sha256').update(key).digest('hex')])).rows
}

it('makes, lists, rotates and revokes keys, and all of it is on record', async () => {
  const { document: first } = await run(
    'create',
    '--name',
    'backend',
    '--scope',
    'events:write',
    '--scope',
    'quota:read',
  )
  expect(await isGood(first.key)).toEqual([{ scopes: ['events:write', 'quota:read'] }])
  const { document: second } = await run('rotate', first.id, '--overlap', '0')
  expect([await isGood(first.key), await isGood(second.key)]).toEqual([
    [],
    [{ scopes: ['events:write', 'quota:read'] }],
  ])
  expect((await run('rotate', first.id)).code).toBe(1)
  expect((await run('revoke', second.id)).document.revoked_at).not.toBeNull()
  expect(await isGood(second.key)).toEqual([])
  const { document: keys } = await run('list')
  expect(keys.map(({ id }: { id: string }) => id).toSorted()).toEqual([first.id, second.id].toSorted())
  expect(JSON.stringify(keys)).not.toContain(first.key)
  const { rows } = await admin.query('select actor, action from tollgate.audit_log order by id')
  expect(rows).toEqual(['created', 'rotated', 'revoked'].map((verb) => ({ actor: 'cli', action: `key.${verb}` })))
})

it('refuses a scope that does not exist, before anything is touched', async () => {
  expect((await run('create', '--name', 'x', '--scope', 'everything')).code).toBe(2)
})
