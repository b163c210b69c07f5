import { ChaosError } from '../chaos-error.ts'
import { cutPower, fillDisk } from '../privileged/damage-disks.ts'
import { losePackets } from '../privileged/lose-packets.ts'
import type { Fault, FaultKind } from '../schedule/fault.ts'
import type { ChaosStack } from '../stack/open-chaos-stack.ts'
import { cutConnections, delayReplies, loseReplies, shutServer } from './damage-connections.ts'
import { type Inject, startAgain } from './fault-context.ts'
import { fillPostgresConnections, fillRedis, fillRedisClients, lockTable } from './fill-servers.ts'
import { jumpClock } from './jump-clock.ts'
import { freezeProcess, killProcess } from './stop-processes.ts'

const INJECTIONS: Readonly<Record<Exclude<FaultKind, 'deploy'>, Inject>> = {
  'kill-service': killProcess,
  'kill-redis': killProcess,
  'kill-postgres': killProcess,
  'kill-supabase': killProcess,
  'freeze-service': freezeProcess,
  'freeze-worker': freezeProcess,
  'freeze-redis': freezeProcess,
  'freeze-postgres': freezeProcess,
  'redis-full': fillRedis,
  'redis-clients-full': fillRedisClients,
  'postgres-connections-full': fillPostgresConnections,
  'slow-sql': lockTable,
  'replies-late': delayReplies,
  'replies-lost': loseReplies,
  'connections-cut': cutConnections,
  'server-unreachable': shutServer,
  'clock-jump': jumpClock,
  'disk-full': fillDisk,
  'power-loss': cutPower,
  'packets-lost': losePackets,
}

/** Does faults, until the run stops. */
export interface Injector {
  /** Rejects when the fault could not be done to its end; at once when the run is stopping. */
  inject(fault: Fault): Promise<void>
  /** Waits until no fault is under way any more; in a run that is stopping none begins after that. */
  settle(): Promise<void>
}

/** Two faults that would have to do with the same process wait for each other. Those under way are ended by `stopping`. */
export function createInjector(stack: ChaosStack, stopping: AbortSignal): Injector {
  const busy = new Map<string, Promise<void>>()
  const alone = (owner: string, work: () => Promise<void>): Promise<void> => {
    const done = (busy.get(owner) ?? Promise.resolve()).then(() => {
      stopping.throwIfAborted()
      return work()
    })
    // Whoever comes next goes on, also when this one fails.
    const settled = done.catch(() => undefined)
    busy.set(owner, settled)
    return done
  }
  const inject = async (fault: Fault) => {
    const { kind } = fault
    try {
      if (kind === 'deploy') await deploy(stack, alone, stopping)
      else await alone(ownerOf(fault), () => INJECTIONS[kind](stack, fault, stopping))
    } catch (cause) {
      throw new ChaosError(`Fault #${fault.number} (${kind} ${fault.target}): ${messageOf(cause)}`, { cause })
    }
  }
  return { inject, settle: async () => void (await Promise.all(busy.values())) }
}

/** A rolling restart: one instance after the other is asked to end, and the next one only when it is back. */
async function deploy(
  { services }: ChaosStack,
  alone: (owner: string, work: () => Promise<void>) => Promise<void>,
  stopping: AbortSignal,
) {
  for (const [label, service] of services) {
    await alone(label, async () => {
      await service.stop()
      await startAgain(service, stopping)
    })
  }
}

/** The process that a fault has to itself. */
function ownerOf({ kind, target }: Fault): string {
  return kind === 'slow-sql' ? 'postgres' : target
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
