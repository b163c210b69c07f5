import type pg from 'pg'

const SEGMENT_BYTES = 16 * 1024 * 1024
// With max_wal_size 4GB the next checkpoint begins after 2.1 GB.
const SEGMENTS = 140
const KEPT = '4GB'

/**
 * Brings PostgreSQL's WAL to where it is after some days of operation. A new cluster writes each segment as 16 MB of zeros
 * before its first use, and every commit waits for that (50 ms here, once in 16 MB); after the first checkpoints it uses the
 * old segments again.
 */
export async function useWalOnce(db: pg.Pool): Promise<void> {
  await db.query(`alter system set min_wal_size = '${KEPT}'`)
  await db.query('select pg_reload_conf()')
  await db.query(
    `select count(pg_logical_emit_message(false, 'bench', repeat('0', $1::integer))) from generate_series(1, $2::integer)`,
    [SEGMENT_BYTES, SEGMENTS],
  )
  await db.query('checkpoint')
}
