import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { arbitraryOf } from './support/arbitrary-of.ts'
import { call } from './support/http.ts'
import { type Document, listOperations, type Operation } from './support/openapi.ts'
import { addKey, addOrganization, addUser, signSupabaseToken } from './support/seed.ts'
import { type Bench, openBench } from './support/start-api.ts'

// Every route of the served document is called with what it describes, and with what it does not: new routes too.
const SEED = 20261125
const REQUESTS = 2_400
const IN_FLIGHT = 8
const OPERATOR_KEY = 'tg_fT9vPq2LxZ7mWc4RbN8sJd5HfG3aYe6U'

let bench: Bench
let openApi: Document
let credentials: (string | undefined)[]
let known: string[]
const rejections: unknown[] = []
const onRejection = (reason: unknown) => rejections.push(reason)

beforeAll(async () => {
  process.on('unhandledRejection', onRejection)
  bench = await openBench({ env: { TOLLGATE_OPERATOR_KEY: OPERATOR_KEY } })
  openApi = (await call<Document>(bench.api.url, '/openapi.json')).body
  const home = await addOrganization(bench.db, { max_tokens: 100_000 })
  const users = await Promise.all(['user', 'admin', 'super_admin'].map((role) => addUser(bench.db, home, role)))
  const sessions = await Promise.all(users.map((id) => signSupabaseToken(id, bench.secrets.supabase)))
  const login = await call<{ token: string }>(bench.api.url, '/api/librechat/auth', {
    method: 'POST',
    token: sessions[0] ?? '',
  })
  const key = await addKey(bench.db, ['events:write', 'keys:write', 'quota:read'], home)
  credentials = [OPERATOR_KEY, OPERATOR_KEY, OPERATOR_KEY, key, ...sessions, login.body.token, 'a.b.c', undefined]
  known = [home, ...users]
})
afterAll(async () => {
  await bench.stop()
  process.off('unhandledRejection', onRejection)
})

interface Shot {
  readonly method: string
  readonly path: string
  readonly headers: Record<string, string>
  readonly body: string | undefined
}

/** Requests for one operation. */
function shotsAt({ method, path, parameters, body, contentTypes }: Operation): fc.Arbitrary<Shot> {
  const valuesIn = (place: string) =>
    fc.record(
      Object.fromEntries(
        parameters.filter((one) => one.in === place).map(({ name, schema }) => [name, arbitraryOf(schema, known)]),
      ),
      { requiredKeys: place === 'path' ? undefined : [] },
    )
  const json = body ? arbitraryOf(body, known).map((value) => JSON.stringify(value)) : fc.constant(undefined)
  const broken = fc.constantFrom('{', '[1,', 'null', '"x"', '\u0000', undefined)
  return fc
    .record({
      inPath: valuesIn('path'),
      inQuery: valuesIn('query'),
      text: fc.oneof({ weight: 15, arbitrary: json }, { weight: 1, arbitrary: broken }),
      type: fc.constantFrom(...contentTypes, ...contentTypes, 'application/json', 'text/plain'),
      token: fc.constantFrom(...credentials),
      extra: fc.constantFrom<Record<string, string>>(
        {},
        {},
        { 'idempotency-key': 'fuzz' },
        { prefer: 'wait=0' },
        { origin: 'https://evil.example' },
      ),
    })
    .map(({ inPath, inQuery, text, type, token, extra }) => ({
      method,
      path: fillIn(path, inPath) + toQuery(inQuery),
      headers: {
        ...extra,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(text === undefined ? {} : { 'content-type': type }),
      },
      body: method === 'GET' ? undefined : text,
    }))
}

const toText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))
const fillIn = (path: string, values: Record<string, unknown>): string =>
  path.replaceAll(/\{(\w+)\}/g, (_, name) => encodeURIComponent(toText(values[name]).toWellFormed()) || '%20')
const toQuery = (values: Record<string, unknown>): string => {
  const pairs = new URLSearchParams()
  for (const [name, value] of Object.entries(values)) pairs.set(name, toText(value).toWellFormed())
  return pairs.size === 0 ? '' : `?${pairs}`
}

const ajv = new Ajv2020({ strict: false, validateFormats: false })

/** What is wrong with an answer, undefined when it is as the document says. */
function faultOf(operation: Operation, status: number, type: string, body: unknown): string | undefined {
  const promised = operation.responses[status]
  if (promised === undefined) return 'a status that is not documented'
  if (status >= 500) return 'a fault of the server, all of whose servers are up'
  const types = Object.keys(promised)
  if (types.length === 0) return undefined
  const schema = promised[type]
  if (schema === undefined) return `a content type that is not documented: ${type}`
  const components = { components: openApi.components ?? {} }
  return ajv.validate({ ...schema, ...components }, body) ? undefined : `not the documented shape: ${ajv.errorsText()}`
}

test('no generated request gets a 5xx or an answer that the document does not describe', async () => {
  const operations = listOperations(openApi)
  const perOperation = Math.ceil(REQUESTS / operations.length)
  const faults = new Map<string, string>()
  const statuses = new Map<number, number>()
  const shoot = async (operation: Operation, { path, ...init }: Shot): Promise<void> => {
    const signal = AbortSignal.timeout(15_000)
    const response = await fetch(bench.api.url + path, { ...init, signal, redirect: 'manual' } as RequestInit)
    const text = await response.text()
    const type = response.headers.get('content-type')?.split(';')[0] ?? ''
    const fault = faultOf(operation, response.status, type, type.endsWith('json') ? JSON.parse(text) : text)
    statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1)
    if (fault === undefined) return
    const shot = `${init.method} ${path.slice(0, 200)} ${JSON.stringify(init.body)?.slice(0, 300)}`
    faults.set(`${operation.name} ${response.status}: ${fault}`, `${shot} → ${text.slice(0, 300)}`)
  }
  const queue = operations.flatMap((operation) =>
    fc.sample(shotsAt(operation), { seed: SEED, numRuns: perOperation }).map((shot) => ({ operation, shot })),
  )
  const work = async (): Promise<void> => {
    for (let next = queue.pop(); next; next = queue.pop()) await shoot(next.operation, next.shot)
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, work))

  expect(Object.fromEntries(faults)).toEqual({})
  expect(rejections).toEqual([])
  expect((await call(bench.api.url, '/livez')).status).toBe(200)
  // The requests reach what they are meant for: with luck alone nothing would ever be created.
  const count = (status: number) => statuses.get(status) ?? 0
  expect(count(200) + count(201) + count(202)).toBeGreaterThan(REQUESTS / 20)
  expect(count(400)).toBeGreaterThan(REQUESTS / 20)
}, 300_000)
