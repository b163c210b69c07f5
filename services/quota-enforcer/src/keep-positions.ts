import { createPositionMarks, type PositionMarks } from '@tollgate/shared/queues'
import { type AuditOptions, startAuditing } from './audit-positions.ts'
import { type KeepHoldsOptions, startKeepingHolds } from './keep-holds.ts'
import { createPublishPositions, startPublishingPositions } from './publish-positions.ts'

/** What the loops stand on. */
export interface KeepPositionsOptions extends Omit<AuditOptions, 'publish' | 'sliceIntervalMs' | 'settleMs'> {
  readonly sweepIntervalMs: number
  readonly auditIntervalMs?: number
  readonly metrics: AuditOptions['metrics'] & KeepHoldsOptions['metrics']
}

/** What keeps the holds and the published positions right. */
export interface PositionKeeper {
  /** Has positions published anew. */
  readonly mark: PositionMarks['mark']
  stop(): Promise<void>
}

/** Starts the loops: holds that run out, positions that changed, and the audit of both. */
export function startKeepingPositions(dependencies: KeepPositionsOptions): PositionKeeper {
  const { rpc, redis, namespace, sweepIntervalMs, auditIntervalMs, metrics, logger, now } = dependencies
  const warn = (message: string) => (error: unknown) => logger.warn({ err: error }, message)
  const marks = createPositionMarks({ redis, namespace, onError: warn('changed positions were not marked') })
  const publish = createPublishPositions({ redis, namespace })
  const loops = [
    startKeepingHolds({
      ...{ rpc, metrics, now, intervalMs: sweepIntervalMs },
      onChanged: marks.mark,
      onError: warn('holds could not be given back'),
    }),
    startPublishingPositions(
      { rpc, redis, namespace, now, onError: warn('positions were not published; the audit brings them') },
      publish,
    ),
    startAuditing({
      ...{ rpc, redis, namespace, publish, metrics, logger, now },
      ...(auditIntervalMs === undefined ? {} : { sliceIntervalMs: auditIntervalMs, settleMs: auditIntervalMs }),
    }),
  ]
  return {
    mark: marks.mark,
    stop: async () => {
      marks.stop()
      await Promise.all(loops.map((loop) => loop.stop()))
    },
  }
}
