import type pg from 'pg'
import { type Audit, type AuditedTables, openAudit } from '../audit/audit.ts'
import { inBatches, makeEvents, toRow } from '../load/make-events.ts'
import type { Member } from '../load/population.ts'
import { type Contender, time } from './contender.ts'
import { type InsertShape, openClients, workOff } from './insert-shape.ts'

const CREATE = `
  create schema if not exists bench;
  drop table if exists bench.raw_events;
  create table bench.raw_events (
    organization_id uuid not null, source text not null, id text not null, time timestamptz not null,
    received_at timestamptz not null, user_id uuid not null, session_id text not null, message_id text, provider text,
    model text not null, input_tokens bigint not null, output_tokens bigint not null,
    cache_read_input_tokens bigint not null, cache_creation_input_tokens bigint not null,
    reasoning_output_tokens bigint not null, message_count integer not null,
    primary key (organization_id, source, id));`
const INSERT = `insert into bench.raw_events select * from json_populate_recordset(null::bench.raw_events, $1)`
const RAW_TABLES: AuditedTables = {
  totals: `select 'raw_events' as name, count(*) as events, sum(input_tokens) as input, sum(output_tokens) as output
    from bench.raw_events`,
  visible: 'select count(*)::float8 as events from bench.raw_events',
}

/** Creates the table of the raw insert, anew if an earlier scenario has left one, and opens its books. */
export async function openRawTable(db: pg.Pool): Promise<Audit> {
  await db.query(CREATE)
  return openAudit(db, RAW_TABLES)
}

/** The same rows into one table with one index and nothing else: what the disk and the row format allow. */
export async function createInsertRaw(
  databaseUrl: string,
  members: readonly Member[],
  audit: Audit,
  { batchSize, connections }: InsertShape,
): Promise<Contender> {
  const { clients, close } = await openClients(databaseUrl, connections)
  return {
    name: `raw insert, ${connections} × ${batchSize}`,
    firstCount: batchSize * connections,
    run: async (count) => {
      const batches = inBatches(makeEvents(members, count).map(toRow), batchSize)
      for (const batch of batches) audit.note(batch)
      const texts = batches.map((batch) => JSON.stringify(batch))
      const { seconds } = await time(() => workOff(clients, texts, insert))
      await audit.requireExact()
      return { count, seconds, answerTimesMs: [], cpuUs: {} }
    },
    close,
  }
}

async function insert(client: pg.Client, text: string): Promise<void> {
  await client.query({ name: 'raw', text: INSERT, values: [text] })
}
