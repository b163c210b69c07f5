import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type pg from 'pg'
import { median } from './statistics.ts'

/** What figures were measured on, by name. */
export type MachineFacts = Readonly<Record<string, string>>

const FSYNCS = 50
const POSTGRES_SETTINGS = [
  'server_version',
  'shared_buffers',
  'fsync',
  'synchronous_commit',
  'max_wal_size',
  'min_wal_size',
]

/** Looks at the machine; load average and fsync time are those of this moment. `dir` lies on the disk that is used. */
export async function readMachineFacts(db: pg.Pool, redisUrl: string, dir: string): Promise<MachineFacts> {
  const [load] = loadavg()
  return {
    'load average at the start': (load ?? 0).toFixed(2),
    cores: `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    memory: `${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
    'fsync of 8 KiB, median': `${timeFsync(dir).toFixed(2)} ms`,
    node: process.version,
    postgres: await readPostgres(db),
    redis: await readRedis(redisUrl),
  }
}

async function readPostgres(db: pg.Pool): Promise<string> {
  const { rows } = await db.query<{ name: string; value: string }>(
    'select s.name, current_setting(s.name) as value from unnest($1::text[]) s(name)',
    [POSTGRES_SETTINGS],
  )
  return rows.map(({ name, value }) => (name === 'server_version' ? value : `${name} ${value}`)).join(', ')
}

async function readRedis(url: string): Promise<string> {
  const redis = new Redis(url)
  try {
    const version = /^redis_version:(.*)$/m.exec(await redis.info('server'))?.[1]?.trim() ?? 'unknown'
    const setting: unknown = await redis.config('GET', 'appendfsync')
    return `${version}, appendfsync ${Array.isArray(setting) ? setting[1] : 'unknown'}`
  } finally {
    redis.disconnect()
  }
}

/** What durability costs here: a disk that answers at once (tmpfs, a lying cache) shows. */
function timeFsync(dir: string): number {
  const path = join(dir, 'fsync-probe')
  const file = openSync(path, 'w')
  const page = Buffer.alloc(8_192)
  const timesMs = Array.from({ length: FSYNCS }, () => {
    writeSync(file, page)
    const startedAtMs = performance.now()
    fsyncSync(file)
    return performance.now() - startedAtMs
  })
  closeSync(file)
  rmSync(path)
  return median(timesMs)
}
