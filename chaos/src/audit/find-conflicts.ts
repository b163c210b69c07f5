import type { Sample } from '../sample/sample.ts'
import type { Finding } from './finding.ts'

/** No event was taken for another one: the workers never saw an id again with other counts. A restart begins at 0. */
export function findConflicts(samples: readonly Sample[]): Finding {
  const labels = [...new Set(samples.flatMap(({ conflicts }) => Object.keys(conflicts)))]
  const faults = labels.flatMap((label) => {
    const most = Math.max(0, ...samples.map(({ conflicts }) => conflicts[label] ?? 0))
    return most === 0 ? [] : [`${label} has counted ${most} conflicts`]
  })
  return { audit: 'no conflicts', faults, looked: `the counters of ${labels.join(', ')} in ${samples.length} samples` }
}
