import { measureGrowth, median, type Point } from '../sample/measure-growth.ts'
import type { Sample } from '../sample/sample.ts'
import type { Finding } from './finding.ts'

interface Series {
  readonly name: string
  readonly points: readonly Point[]
  /** How much it may grow over the whole run. */
  readonly bound: number
}

// A process that was just started grows until its heap has found its size; over an hour the same bound is a tight one.
const MEMORY_MB = 25
const MEMORY_SHARE = 0.1
// Pools open and close with the load; a leak goes on beyond that.
const CONNECTIONS = 6
const CLIENTS = 1
const LAG_SECONDS = 5
// Before, pools and heaps find their sizes, and each restart is a large part of all; compareUse has to do.
const LEAST_SECONDS = 120
// But for finished jobs: what waits while a server is away comes and goes.
const KEYS = 150

/** Memory, connections, Redis' clients and keys, and lag have no trend upwards over a run, up to the bounds above. */
export function requireFlat(samples: readonly Sample[]): Finding {
  const seconds = (samples.at(-1)?.atSeconds ?? 0) - (samples[0]?.atSeconds ?? 0)
  const isLong = seconds >= LEAST_SECONDS
  const all = seriesOf(samples)
  const grown = all.map((series) => ({ ...series, growth: measureGrowth(series.points) }))
  const faults = grown
    .filter(({ growth, bound }) => isLong && growth > bound)
    .map(({ name, growth, bound }) => `${name} has grown by ${growth.toFixed(1)}, more than ${bound.toFixed(1)}`)
  const said = grown.map(
    ({ name, growth, bound }) => `${name} ${growth >= 0 ? '+' : ''}${growth.toFixed(1)} (at most +${bound.toFixed(0)})`,
  )
  return {
    audit: 'use of resources is flat',
    faults,
    looked: `${samples.length} samples${isLong ? '' : ' (too short a time to demand it)'}: ${said.join(', ')}`,
  }
}

function seriesOf(samples: readonly Sample[]): Series[] {
  const labels = [...new Set(samples.flatMap(({ memoryMb }) => Object.keys(memoryMb)))]
  const memory = labels.map((label) => {
    const points = pointsOf(samples, ({ memoryMb }) => memoryMb[label])
    return {
      name: `MB of ${label}`,
      points,
      bound: MEMORY_MB + MEMORY_SHARE * median(points.map(([, value]) => value)),
    }
  })
  const connectionsOf = ({ connections }: Sample) => {
    const counts = Object.values(connections)
    return counts.length === 0 ? undefined : counts.reduce((sum, count) => sum + count, 0)
  }
  const connections = pointsOf(samples, connectionsOf)
  return [
    ...memory,
    { name: 'connections to Postgres', points: connections, bound: CONNECTIONS },
    { name: 'clients of Redis', points: pointsOf(samples, ({ redisClients }) => redisClients), bound: CLIENTS },
    { name: 'keys in Redis', points: pointsOf(samples, ({ redisKeys }) => redisKeys), bound: KEYS },
    { name: 's of lag', points: pointsOf(samples, ({ lagSeconds }) => lagSeconds), bound: LAG_SECONDS },
  ]
}

function pointsOf(samples: readonly Sample[], read: (sample: Sample) => number | undefined): Point[] {
  return samples.flatMap((sample) => {
    const value = read(sample)
    return value === undefined ? [] : [[sample.atSeconds, value] as const]
  })
}
