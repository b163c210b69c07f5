/** Telling open dashboards that something changed. */
export type LiveFunctions = {
  broadcast_changes: {
    args: { changed: { organizations: string[] } }
    row: { offered: boolean; waiting: string[] }
  }
}
