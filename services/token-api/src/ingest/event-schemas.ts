import { publicEvent, rejectionReason } from '@tollgate/shared/contracts'
import { z } from 'zod'

/** Body of `POST /v1/events`, for the documentation: each event is judged by itself. */
export const eventsBody = z.union([publicEvent, z.array(publicEvent)])

const rejection = z.object({
  index: z.number().int(),
  id: z.string().nullable(),
  reason: rejectionReason,
  detail: z.string().optional(), // some reasons say all
})

const result = z.object({
  index: z.number().int(),
  id: z.string(),
  outcome: z.enum(['recorded', 'duplicate', 'rejected']),
  conflict: z.boolean().optional(), // of a duplicate
  reason: rejectionReason.optional(), // of a rejected one
})

/** 202: on disk, and counted before long. */
export const eventsAccepted = z.object({ accepted: z.number().int(), rejected: z.array(rejection) })

/** 200 under `Prefer: wait`: counted. `results` has the accepted events in the order of the request. */
export const eventsRecorded = eventsAccepted.extend({
  recorded: z.number().int(),
  duplicate: z.number().int(),
  results: z.array(result),
})
