import type { Sample } from '../sample/sample.ts'
import type { Finding } from './finding.ts'

// A pool may keep one more than it happened to have when it was looked at.
const SPARE = 2
const MEMORY_SHARE = 1.6
const MEMORY_SPARE_MB = 60
const KEYS = 3_000

/** Connections, keys and memory are back where they were before the first fault. */
export function compareUse(before: Sample, after: Sample): Finding {
  const faults: string[] = []
  for (const [name, count] of Object.entries(after.connections)) {
    const most = (before.connections[name] ?? 0) + SPARE
    if (count > most) faults.push(`${name} has ${count} connections to Postgres, had ${before.connections[name] ?? 0}`)
  }
  const [clients, had] = [after.redisClients ?? Number.POSITIVE_INFINITY, before.redisClients ?? 0]
  if (clients > had + SPARE) faults.push(`Redis has ${clients} clients, had ${had}`)
  const keys = after.redisKeys ?? Number.POSITIVE_INFINITY
  if (keys > (before.redisKeys ?? 0) + KEYS) faults.push(`Redis has ${keys} keys, had ${before.redisKeys ?? 0}`)
  for (const [label, usedMb] of Object.entries(after.memoryMb)) {
    const most = (before.memoryMb[label] ?? 0) * MEMORY_SHARE + MEMORY_SPARE_MB
    if (usedMb > most) faults.push(`${label} has ${usedMb.toFixed(0)} MB, had ${before.memoryMb[label]?.toFixed(0)}`)
  }
  const sum = (sample: Sample) => Object.values(sample.connections).reduce((all, count) => all + count, 0)
  const total = (sample: Sample) => Object.values(sample.memoryMb).reduce((all, used) => all + used, 0)
  return {
    audit: 'connections, keys and memory are back at the start',
    faults,
    looked: [
      `connections to Postgres ${sum(before)} → ${sum(after)}`,
      `clients of Redis ${had} → ${clients}`,
      `keys ${before.redisKeys} → ${keys}`,
      `memory ${total(before).toFixed(0)} → ${total(after).toFixed(0)} MB`,
    ].join(', '),
  }
}
