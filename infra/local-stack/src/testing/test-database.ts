import { randomUUID } from 'node:crypto'
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
    drop: async () => {
      await withDatabase(adminUrl, (client) => client.query(`drop database if exists ${quoted} with (force)`))
    },
  }
}
