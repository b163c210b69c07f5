import type { Sample } from '../sample/sample.ts'
import type { Finding } from './finding.ts'

// Each of an application's two pools may keep one more than it happened to have; all together have none more.
const SPARE = 2
// Markers, sets and deduplication of queues and organizations that had not been used yet.
const KEYS = 100
// A heap that was never full before finds its size under faults; so does Redis' append-only file while it is rewritten.
const MEMORY_SHARE = 0.25
const MEMORY_MB = 30

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((all, count) => all + count, 0)

/** Connections, clients, keys and memory are back where they were before the first fault. */
export function compareUse(before: Sample, after: Sample): Finding {
  return {
    audit: 'connections, keys and memory are back at the start',
    faults: [...findConnections(before, after), ...findRedis(before, after), ...findMemory(before, after)],
    looked: [
      `connections to Postgres ${sum(before.connections)} → ${sum(after.connections)}`,
      `clients of Redis ${before.redisClients} → ${after.redisClients}`,
      `keys but for finished jobs ${before.redisKeys} → ${after.redisKeys} (+${KEYS} at most)`,
      `memory ${sum(before.memoryMb).toFixed(0)} → ${sum(after.memoryMb).toFixed(0)} MB (a process +${MEMORY_SHARE * 100} % and ${MEMORY_MB} MB at most)`,
    ].join(', '),
  }
}

function findConnections({ connections: before }: Sample, { connections: after }: Sample): string[] {
  const faults = Object.entries(after).flatMap(([name, count]) => {
    const had = before[name] ?? 0
    return count > had + SPARE ? [`${name} has ${count} connections to Postgres, had ${had}`] : []
  })
  const [all, had] = [sum(after), sum(before)]
  return faults.length === 0 && all > had ? [`all together have ${all} connections to Postgres, had ${had}`] : faults
}

// What could not be counted is no proof.
function findRedis(before: Sample, after: Sample): string[] {
  const { redisClients: clients = Number.POSITIVE_INFINITY, redisKeys: keys = Number.POSITIVE_INFINITY } = after
  const { redisClients: hadClients = 0, redisKeys: hadKeys = 0 } = before
  return [
    ...(clients > hadClients ? [`Redis has ${clients} clients, had ${hadClients}`] : []),
    ...(keys > hadKeys + KEYS ? [`Redis has ${keys} keys but for finished jobs, had ${hadKeys}`] : []),
  ]
}

function findMemory({ memoryMb: before }: Sample, { memoryMb: after }: Sample): string[] {
  return Object.entries(before).flatMap(([label, hadMb]) => {
    const usedMb = after[label] ?? Number.POSITIVE_INFINITY
    const isBack = usedMb <= hadMb * (1 + MEMORY_SHARE) + MEMORY_MB
    return isBack ? [] : [`${label} has ${usedMb.toFixed(0)} MB, had ${hadMb.toFixed(0)}`]
  })
}
