import { useCallback, useState } from 'preact/hooks'

/** Names of users by id, as they come by in reports. */
export type Names = Readonly<Record<string, string>>

/** A row that may name its user. */
interface NamedRow {
  readonly user_id: string | null
  readonly user_name: string | null
}

/** Keeps the names that reports have said, so that a filter by user can be called by its name. */
export function useNames(): readonly [Names, (rows: readonly NamedRow[]) => void] {
  const [names, setNames] = useState<Names>({})
  const learn = useCallback((rows: readonly NamedRow[]): void => {
    setNames((known) => {
      const said = rows.flatMap(({ user_id, user_name }) => (user_id && user_name ? [[user_id, user_name]] : []))
      const next: Names = { ...known, ...Object.fromEntries(said) }
      return Object.keys(next).length === Object.keys(known).length ? known : next
    })
  }, [])
  return [names, learn]
}
