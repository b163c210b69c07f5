import { readMemoryMb } from '@tollgate/bench/process'
import { queueAddresses } from '@tollgate/shared/queues'
import type { ChaosStack } from '../stack/open-chaos-stack.ts'
import { SHARDS } from '../stack/shards.ts'

/** What a run uses at one moment; what could not be read is absent. */
export interface Sample {
  readonly atSeconds: number
  /** Resident memory in MB, by process. */
  readonly memoryMb: Readonly<Record<string, number>>
  /** Connections of the services to Postgres, by application. */
  readonly connections: Readonly<Record<string, number>>
  readonly redisClients?: number
  /** But for finished jobs, of which each queue keeps the last ones. */
  readonly redisKeys?: number
  /** Age of the oldest event that waits, as the workers say. */
  readonly lagSeconds?: number
  /** Events that were sent again with other counts, as the workers have counted since they were started. */
  readonly conflicts: Readonly<Record<string, number>>
}

const QUEUES = [...queueAddresses('usage-events', SHARDS), ...queueAddresses('quota-evaluations', SHARDS)]

const CONNECTIONS = `select application_name as name, count(*)::int as count from pg_stat_activity
  where backend_type = 'client backend' and application_name like 'tollgate%' group by 1`

/** Reads everything; what is away at the moment is left out. */
export async function takeSample({ db, redis, services, stack }: ChaosStack, atSeconds: number): Promise<Sample> {
  const [connections, clients, keys, metrics] = await Promise.all([
    quietly(db.query<{ name: string; count: number }>(CONNECTIONS)),
    quietly(redis.client('LIST')),
    quietly(countKeys(redis)),
    Promise.all([...services].filter(([label]) => label.startsWith('usage-worker')).map(readMetrics)),
  ])
  const lags = metrics.flatMap(({ lagSeconds }) => (lagSeconds === undefined ? [] : [lagSeconds]))
  const processes = [...services.entries(), ['redis', stack.redis] as const]
  return {
    atSeconds,
    memoryMb: Object.fromEntries(
      processes.flatMap(([label, { pid }]) => {
        const used = quietRead(() => readMemoryMb(pid))
        return used === undefined ? [] : [[label, used]]
      }),
    ),
    connections: Object.fromEntries(connections?.rows.map(({ name, count }) => [name, count]) ?? []),
    // Ours is not counted.
    ...(clients === undefined ? {} : { redisClients: String(clients).trim().split('\n').length - 1 }),
    ...(keys === undefined ? {} : { redisKeys: keys }),
    ...(lags.length === 0 ? {} : { lagSeconds: Math.max(...lags) }),
    conflicts: Object.fromEntries(metrics.map(({ label, conflicts }) => [label, conflicts])),
  }
}

async function countKeys(redis: ChaosStack['redis']): Promise<number> {
  const finished = QUEUES.map(({ prefix, queue }) => redis.zcard(`${prefix}:${queue}:completed`))
  const [all, ...kept] = await Promise.all([redis.dbsize(), ...finished])
  return all - kept.reduce((sum, count) => sum + count, 0)
}

async function readMetrics([label, { url }]: [string, { readonly url: string }]) {
  const response = await quietly(fetch(`${url}/metrics`, { signal: AbortSignal.timeout(2_000) }))
  const text = response === undefined ? '' : ((await quietly(response.text())) ?? '')
  const read = (name: string) => new RegExp(`^${name}(?:\\{[^}]*\\})? ([\\d.e+]+)$`, 'm').exec(text)?.[1]
  const lag = read('tollgate_usage_oldest_unrecorded_seconds')
  return {
    label,
    conflicts: Number(read('tollgate_usage_conflicts_total') ?? 0),
    lagSeconds: lag === undefined ? undefined : Number(lag),
  }
}

async function quietly<Answer>(asked: Promise<Answer>): Promise<Answer | undefined> {
  return asked.catch(() => undefined)
}

function quietRead<Answer>(read: () => Answer): Answer | undefined {
  try {
    return read()
  } catch {
    // The process has ended since its id was read.
    return undefined
  }
}
