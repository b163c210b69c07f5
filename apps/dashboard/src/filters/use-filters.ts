import { useEffect, useState } from 'preact/hooks'
import { type Filters, readFilters, writeFilters } from './filters.ts'

/** The filters of the address, and how to change them: each change is a step that the back button undoes. */
export function useFilters(): readonly [Filters, (change: Partial<Filters>) => void] {
  const [filters, setFilters] = useState(() => readFilters(location.search))
  useEffect(() => {
    const onPop = () => setFilters(readFilters(location.search))
    addEventListener('popstate', onPop)
    return () => removeEventListener('popstate', onPop)
  }, [])
  const change = (part: Partial<Filters>): void => {
    const next = readFilters(writeFilters({ ...filters, ...part }))
    history.pushState(null, '', `${location.pathname}${writeFilters(next)}`)
    setFilters(next)
  }
  return [filters, change]
}
