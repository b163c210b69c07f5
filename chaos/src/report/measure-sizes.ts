import { queueAddresses } from '@tollgate/shared/queues'
import type { Redis } from 'ioredis'
import type { Queryable } from '../audit/finding.ts'
import { SHARDS } from '../stack/shards.ts'

/** What an event takes, in bytes. */
export interface Sizes {
  /** In the ledger and its indexes, for each entry. */
  readonly ledgerEntryBytes: number
  /** In the table of identities and its indexes. */
  readonly identityBytes: number
  /** In Redis, for each event of the jobs that are there. */
  readonly redisEventBytes: number
}

const SAMPLE = 100
const EVENTS = /-n(\d+)$/

const POSTGRES = `select
  (select sum(pg_total_relation_size(relid)) from pg_partition_tree('tollgate.usage_events'))::float8
    / nullif((select count(*) from tollgate.usage_events), 0) as "ledgerEntryBytes",
  pg_total_relation_size('tollgate.usage_event_identities')::float8
    / nullif((select count(*) from tollgate.usage_event_identities), 0) as "identityBytes"`

/** Measures what events take on disk in Postgres and in memory in Redis, where finished jobs are kept for a while. */
export async function measureSizes(db: Queryable, redis: Redis): Promise<Sizes> {
  const { rows } = await db.query<Pick<Sizes, 'ledgerEntryBytes' | 'identityBytes'>>(POSTGRES)
  let [bytes, events] = [0, 0]
  for (const { prefix, queue } of queueAddresses('usage-events', SHARDS)) {
    for (const id of await redis.zrange(`${prefix}:${queue}:completed`, 0, String(SAMPLE - 1))) {
      bytes += (await redis.memory('USAGE', `${prefix}:${queue}:${id}`)) ?? 0
      events += Number(EVENTS.exec(id)?.[1] ?? 1)
    }
  }
  return {
    ledgerEntryBytes: Math.round(rows[0]?.ledgerEntryBytes ?? 0),
    identityBytes: Math.round(rows[0]?.identityBytes ?? 0),
    redisEventBytes: events === 0 ? 0 : Math.round(bytes / events),
  }
}
