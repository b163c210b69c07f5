import pg from 'pg'

/** How rows are brought into Postgres. */
export interface InsertShape {
  readonly batchSize: number
  readonly connections: number
}

/** The shapes of which the fastest counts. */
export const INSERT_SHAPES: readonly InsertShape[] = [1_000, 2_000, 5_000].flatMap((batchSize) =>
  [2, 4].map((connections) => ({ batchSize, connections })),
)

/** Opens connections, each with the rights of `role`: a superuser would be spared the row level security checks. */
export async function openClients(databaseUrl: string, count: number, role?: string) {
  const clients = Array.from({ length: count }, () => new pg.Client({ connectionString: databaseUrl }))
  for (const client of clients) {
    // When a scenario fails the stack is stopped with these still open; the fault to show is the scenario's own.
    client.on('error', () => undefined)
    await client.connect()
    if (role !== undefined) await client.query(`set role ${pg.escapeIdentifier(role)}`)
  }
  const close = async () => {
    await Promise.all(clients.map((client) => client.end()))
  }
  return { clients, close }
}

/** Works a list off, each connection the next item as soon as it is free. */
export async function workOff<Item>(
  clients: readonly pg.Client[],
  items: readonly Item[],
  work: (client: pg.Client, item: Item) => Promise<void>,
): Promise<void> {
  let next = 0
  const take = async (client: pg.Client): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await work(client, item)
  }
  await Promise.all(clients.map(take))
}
