import { useEffect, useState } from 'preact/hooks'
import { type Filters, readFilters, writeFilters } from './filters.ts'

/** Changes filters; what is being typed is no step of its own for the back button. */
export type ChangeFilters = (part: Partial<Filters>, isTyping?: boolean) => void

/** The filters of the address, and how to change them: each change is a step that the back button undoes. */
export function useFilters(): readonly [Filters, ChangeFilters] {
  const [filters, setFilters] = useState(() => readFilters(location.search))
  useEffect(() => {
    const onPop = () => setFilters(readFilters(location.search))
    addEventListener('popstate', onPop)
    return () => removeEventListener('popstate', onPop)
  }, [])
  const change: ChangeFilters = (part, isTyping = false) => {
    const next = readFilters(writeFilters({ ...filters, ...part }))
    const address = `${location.pathname}${writeFilters(next)}`
    if (isTyping) history.replaceState(null, '', address)
    else history.pushState(null, '', address)
    setFilters(next)
  }
  return [filters, change]
}
