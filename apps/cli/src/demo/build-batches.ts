import type { AssignedRequest } from './assign.ts'
import { DEFAULT_SEED } from './assign.ts'

/** One event of a batch, as far as the demo itself needs it again. */
interface DemoEvent {
  readonly id: string
  readonly organizationId: string
  readonly inputTokens: number
  readonly outputTokens: number
}

/** What one `POST /v1/events` carries. The body is written once: a repeat sends the same bytes. */
export interface EventBatch {
  readonly index: number
  readonly events: readonly DemoEvent[]
  readonly body: string
}

/** Events of one request, well below the API's bound of 1,000. */
const BATCH_EVENTS = 100

/** `source` of the demo's events. Another seed assigns otherwise, so it counts as another source. */
export function sourceOf(seed: number): string {
  return seed === DEFAULT_SEED ? 'azure-llm-trace-2023' : `azure-llm-trace-2023-seed-${seed}`
}

const eventId = (request: AssignedRequest): string => `azure-2023-${request.line}`

function toCloudEvent(request: AssignedRequest, source: string, time: string | undefined) {
  return {
    specversion: '1.0',
    type: 'tollgate.usage.recorded.v1',
    source,
    id: eventId(request),
    time,
    data: {
      organization_id: request.organizationId,
      user_id: request.userId,
      session_id: request.sessionId,
      message_id: eventId(request),
      provider: request.provider,
      model: request.model,
      input_tokens: request.inputTokens,
      output_tokens: request.outputTokens,
    },
  }
}

/** Writes the CloudEvents batches (JSON batch format of CloudEvents 1.0). `times` belong to the requests by position. */
export function buildBatches(
  requests: readonly AssignedRequest[],
  times: readonly string[],
  source: string,
  size = BATCH_EVENTS,
): EventBatch[] {
  const batches: EventBatch[] = []
  for (let start = 0; start < requests.length; start += size) {
    const part = requests.slice(start, start + size)
    const body = JSON.stringify(part.map((request, at) => toCloudEvent(request, source, times[start + at])))
    const events = part.map((request) => ({
      id: eventId(request),
      organizationId: request.organizationId,
      inputTokens: request.inputTokens,
      outputTokens: request.outputTokens,
    }))
    batches.push({ index: batches.length, events, body })
  }
  return batches
}
