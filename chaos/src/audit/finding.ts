/** What an audit says. */
export interface Finding {
  readonly audit: string
  /** What is wrong, in words; empty when nothing is. */
  readonly faults: readonly string[]
  /** What was looked at, for the summary. */
  readonly looked: string
}

/** Anything that runs a query: a pool, or a client within a transaction. */
export interface Queryable {
  query<Row>(sql: string, values?: unknown[]): Promise<{ rows: Row[] }>
}
