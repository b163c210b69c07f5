import { type Inject, last } from './fault-context.ts'

const ROLES = ['tollgate_token_api', 'tollgate_usage_worker', 'tollgate_quota_enforcer'] as const
const MANY_CLIENTS = 10_000

/** Redis is at `maxmemory` and evicts nothing: every write is refused. */
export const fillRedis: Inject = async ({ redis }, { seconds }, stopping) => {
  const used = /used_memory:(\d+)/.exec(await redis.info('memory'))?.[1] ?? '1'
  await redis.config('SET', 'maxmemory', used)
  try {
    await last(seconds, stopping)
  } finally {
    await redis.config('SET', 'maxmemory', '0')
  }
}

/** Half of Redis' clients lose their connection, and there is no place for them to come back. */
export const fillRedisClients: Inject = async ({ redis }, { seconds }, stopping) => {
  const own = String(await redis.client('ID'))
  const list = String(await redis.client('LIST'))
  const ids = [...list.matchAll(/^id=(\d+)/gm)].map(([, id = '']) => id).filter((id) => id !== own)
  const half = ids.filter((_, index) => index % 2 === 0)
  await redis.config('SET', 'maxclients', String(Math.max(1, ids.length + 1 - half.length)))
  for (const id of half) await redis.client('KILL', 'ID', id)
  try {
    await last(seconds, stopping)
  } finally {
    await redis.config('SET', 'maxclients', String(MANY_CLIENTS))
  }
}

/** Half of the services' connections to Postgres are ended, and no new one is let in (SQLSTATE 53300). */
export const fillPostgresConnections: Inject = async ({ db }, { seconds }, stopping) => {
  for (const role of ROLES) await db.query(`alter role ${role} connection limit 0`)
  await db.query(`select pg_terminate_backend(pid) from pg_stat_activity where usename = any($1) and pid % 2 = 0`, [
    ROLES,
  ])
  try {
    await last(seconds, stopping)
  } finally {
    for (const role of ROLES) await db.query(`alter role ${role} connection limit -1`)
  }
}

/** Somebody holds a lock on a table that counting needs. */
export const lockTable: Inject = async ({ db }, { target, seconds }, stopping) => {
  const client = await db.connect()
  try {
    await client.query(`begin; set local lock_timeout = '20s'; lock table ${target} in share row exclusive mode`)
    await last(seconds, stopping)
  } finally {
    await client.query('rollback')
    client.release()
  }
}
