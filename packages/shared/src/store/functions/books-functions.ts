/** Which dead letters are meant; what is absent does not restrict. */
export interface DeadLetterSelection {
  ids?: string[] | undefined
  queue?: string | undefined
  reason?: string | undefined
}

/** The operator's side of the books. */
export type BooksFunctions = {
  list_dead_letters: {
    args: { selection: DeadLetterSelection; max_rows: number }
    row: {
      id: string
      queue: string
      reason: string
      detail: string | null
      created_at: string
      events: number | null
      payload: string
    }
  }
  replay_dead_letters: {
    args: { selection: DeadLetterSelection }
    row: { replayed: number; events: number; unreadable: string[] }
  }
  drop_dead_letters: { args: { selection: DeadLetterSelection }; row: { dropped: number } }
}
