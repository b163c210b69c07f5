import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { inject } from 'vitest'
import { withDatabase } from '../database.ts'
import { type ServiceName, serviceRoles, urlAs } from '../provision.ts'
import './provided.ts'

/** A database of its own for one test file. */
export type TestDatabase = {
  name: string
  /** Connects as the superuser, whom row level security does not bind. */
  databaseUrl: string
  /** Connects as the role of a service. */
  urls: Record<ServiceName, string>
  drop(): Promise<void>
}

/** Copies the migrated template. Needs the global setup, so it is for integration tests. */
export const createTestDatabase = (): Promise<TestDatabase> => createDatabase(inject('tollgate').template)

/** A database with nothing in it, for tests of the migrations themselves. */
export const createEmptyDatabase = (): Promise<TestDatabase> => createDatabase('template0')

const createDatabase = async (template: string): Promise<TestDatabase> => {
  const { adminUrl, rolePassword } = inject('tollgate')
  const name = `test_${randomUUID().replaceAll('-', '')}`
  const [quoted, from] = [pg.escapeIdentifier(name), pg.escapeIdentifier(template)]
  await withDatabase(adminUrl, (client) => client.query(`create database ${quoted} template ${from}`))
  const target = new URL(adminUrl)
  target.pathname = `/${name}`
  const databaseUrl = target.toString()
  const urlOf = (service: ServiceName) => urlAs(databaseUrl, serviceRoles[service], rolePassword)
  return {
    name,
    databaseUrl,
    urls: {
      'token-api': urlOf('token-api'),
      'usage-worker': urlOf('usage-worker'),
      'quota-enforcer': urlOf('quota-enforcer'),
    },
    drop: () =>
      withDatabase(adminUrl, async (client) => {
        await untilLeft(client, name)
        await client.query(`drop database if exists ${quoted} with (force)`)
      }),
  }
}

const LEAVING_MS = 1_000
const POLL_MS = 20

/**
 * Waits a moment for connections that are just being closed: one that is cut off meanwhile has nobody left who listens to its
 * error, which would fail the whole run. Those that are still open after that are cut off.
 */
const untilLeft = async (client: pg.Client, name: string): Promise<void> => {
  const deadline = performance.now() + LEAVING_MS
  while (performance.now() < deadline) {
    const { rowCount } = await client.query('select from pg_stat_activity where datname = $1', [name])
    if (rowCount === 0) return
    await delay(POLL_MS)
  }
}
