import { createTestDatabase, type TestDatabase } from '@tollgate/local-stack/testing'
import { type BooksDrift, type BooksScan, createPgRpc, type Rpc, type RpcRow } from '@tollgate/shared/store'
import pg from 'pg'

/** A test's database with the ways into it. */
export interface TestBooks {
  readonly database: TestDatabase
  readonly admin: pg.Client
  /** As the usage worker. */
  readonly rpc: Rpc
  readonly ingest: (events: object[]) => Promise<RpcRow<'ingest_usage'>[]>
  /** A whole pass over the books that changes nothing. */
  readonly findDrift: () => Promise<BooksDrift[]>
  /** The first row of a query. */
  readonly row: (sql: string) => Promise<Record<string, unknown> | undefined>
  close(): Promise<void>
}

/** Opens a database of its own for a test file. */
export async function openBooks(): Promise<TestBooks> {
  const database = await createTestDatabase()
  const admin = new pg.Client(database.databaseUrl)
  await admin.connect()
  const use = { max: 3, applicationName: 'test', statementTimeoutMs: 60_000, onError: () => undefined }
  const { rpc, close } = createPgRpc({ connectionString: database.urls['usage-worker'], ...use })
  return {
    database,
    admin,
    rpc,
    ingest: (events) => rpc('ingest_usage', { batch: { events } }),
    findDrift: () => findDrift(rpc),
    row: async (sql) => (await admin.query(sql)).rows[0],
    close: async () => {
      await close()
      await admin.end()
      await database.drop()
    },
  }
}

async function findDrift(rpc: Rpc): Promise<BooksDrift[]> {
  const drift: BooksDrift[] = []
  let scan: BooksScan | null = { repair: false, budget_ms: 1_000 }
  while (scan !== null) {
    const [step]: RpcRow<'reconcile_books'>[] = await rpc('reconcile_books', { scan })
    drift.push(...(step?.drift ?? []))
    scan = step?.resume ?? null
  }
  return drift
}
