/** Instances of the services in a run; two of each. */
export const SERVICES = [
  ...(['token-api', 'token-api-2'] as const),
  ...(['usage-worker', 'usage-worker-2'] as const),
  ...(['quota-enforcer', 'quota-enforcer-2'] as const),
] as const
export type ServiceLabel = (typeof SERVICES)[number]

/** The servers that the services stand on. */
export const SERVERS = ['redis', 'postgres'] as const

/** What can be done to a run. */
export const FAULT_KINDS = [
  ...(['kill-service', 'kill-redis', 'kill-postgres', 'kill-supabase'] as const),
  ...(['freeze-service', 'freeze-worker', 'freeze-redis', 'freeze-postgres'] as const),
  ...(['redis-full', 'redis-clients-full', 'postgres-connections-full', 'slow-sql'] as const),
  ...(['replies-late', 'replies-lost', 'connections-cut', 'server-unreachable'] as const),
  ...(['clock-jump', 'deploy'] as const),
  // These need root.
  ...(['disk-full', 'power-loss', 'packets-lost'] as const),
] as const
export type FaultKind = (typeof FAULT_KINDS)[number]

/** One fault of a schedule. */
export interface Fault {
  /** Its place in the schedule. */
  readonly number: number
  /** Faults of one round overlap; the next round begins when everything is well again. */
  readonly round: number
  /** When it begins at the earliest, in seconds after the first one. */
  readonly atSeconds: number
  /** How long it lasts, as far as it lasts. */
  readonly seconds: number
  readonly kind: FaultKind
  /** A process, a table, or `<process> redis` for a connection. */
  readonly target: string
  /** Milliseconds of a delay, or seconds of a clock's jump; else 0. */
  readonly amount: number
}

/** A fault in words. */
export function describeFault({ number, round, atSeconds, seconds, kind, target, amount }: Fault): string {
  const much = kind === 'replies-late' ? ` by ${amount} ms` : kind === 'clock-jump' ? ` by ${amount} s` : ''
  const long = seconds > 0 ? ` for ${seconds} s` : ''
  return `#${number} (round ${round}) at ${atSeconds} s: ${kind} ${target}${much}${long}`
}
