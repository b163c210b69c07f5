/** What stands between the door and the ledger: the inbox, and what is remembered of Redis. */
export type IntakeFunctions = {
  inbox_backlog: { args: Record<never, never>; row: { events: number; oldest_seconds: number } }
  read_redis_mark: { args: { for_name: string }; row: { epoch: string; mark: string; seen_at: string } }
  note_redis_mark: {
    args: { for_name: string; new_epoch: string; new_mark: string; instead_of?: string } // absent: no epoch ends
    row: { noted: boolean }
  }
}
