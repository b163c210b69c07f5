import { type Fault, type FaultKind, SERVERS, SERVICES } from './fault.ts'
import type { Random } from './random.ts'

type Drawn = Pick<Fault, 'target' | 'seconds'> & { readonly amount?: number }

/** How a kind of fault is drawn. */
export interface FaultDefinition {
  readonly draw: (random: Random) => Drawn
  readonly needsRoot?: true
}

const services = (least: number, most: number) => (random: Random) => ({
  target: random.oneOf(SERVICES),
  seconds: random.between(least, most),
})
const always = (target: string, least: number, most: number) => (random: Random) => ({
  target,
  seconds: random.between(least, most),
})
const servers = (least: number, most: number) => (random: Random) => ({
  target: random.oneOf(SERVERS),
  seconds: random.between(least, most),
})
const connections = (least: number, most: number) => (random: Random) => ({
  target: `${random.oneOf(SERVICES)} ${random.oneOf(SERVERS)}`,
  seconds: random.between(least, most),
})

// Every usage transaction inserts into or updates one of these.
const LOCKED_TABLES = [
  'tollgate.usage_event_identities',
  'tollgate.period_totals',
  'tollgate.enforcement_states',
] as const
// The door refuses events more than five minutes early: an API whose clock is further behind would be right to refuse.
const API_JUMPS = [-200, -60, 60, 200] as const
const OTHER_JUMPS = [-7_200, -200, 200, 7_200] as const

/** Every kind of fault. A worker's lock lasts 10 s and is looked at every 3 s: a longer freeze loses it. */
export const FAULTS: Readonly<Record<FaultKind, FaultDefinition>> = {
  'kill-service': { draw: services(0, 3) },
  'kill-redis': { draw: always('redis', 0, 4) },
  'kill-postgres': { draw: always('postgres', 0, 4) },
  'kill-supabase': { draw: always('supabase', 0, 3) },
  'freeze-service': { draw: services(3, 7) },
  'freeze-worker': {
    draw: (random) => ({ target: random.oneOf(['usage-worker', 'usage-worker-2']), seconds: random.between(14, 17) }),
  },
  'freeze-redis': { draw: always('redis', 2, 7) },
  'freeze-postgres': { draw: always('postgres', 2, 7) },
  'redis-full': { draw: always('redis', 3, 8) },
  'redis-clients-full': { draw: always('redis', 3, 7) },
  'postgres-connections-full': { draw: always('postgres', 3, 7) },
  'slow-sql': { draw: (random) => ({ target: random.oneOf(LOCKED_TABLES), seconds: random.between(2, 7) }) },
  'replies-late': { draw: (random) => ({ ...connections(4, 9)(random), amount: random.between(50, 600) }) },
  'replies-lost': { draw: connections(3, 8) },
  'connections-cut': { draw: connections(1, 4) },
  'server-unreachable': { draw: connections(3, 8) },
  'clock-jump': {
    draw: (random) => {
      const target = random.oneOf(SERVICES)
      const amount = random.oneOf(target.startsWith('token-api') ? API_JUMPS : OTHER_JUMPS)
      return { target, seconds: random.between(4, 9), amount }
    },
  },
  deploy: { draw: () => ({ target: 'all services', seconds: 0 }) },
  'disk-full': { draw: servers(3, 6), needsRoot: true },
  'power-loss': { draw: servers(0, 0), needsRoot: true },
  'packets-lost': { draw: servers(3, 8), needsRoot: true },
}
