import type { AcceptedEvent } from '@tollgate/shared/contracts'

const WHERE = {
  organization_id: '00000000-0000-4000-8000-000000000001',
  user_id: '00000000-0000-4000-8000-0000000000a1',
  session_id: 'c',
}
const NONE = { cache_read_input_tokens: 0, cache_creation_input_tokens: 0, reasoning_output_tokens: 0 }

/** An accepted event of 11 LLM tokens, with what is to be otherwise. */
export function makeUsage(id: string, change: object = {}): AcceptedEvent {
  const now = new Date().toISOString()
  const counts = { input_tokens: 10, output_tokens: 1, ...NONE, message_count: 1 }
  const envelope = { source: 's', id, time: now, received_at: now, member: true }
  return { type: 'usage.recorded', ...envelope, ...WHERE, model: 'gpt-4o', ...counts, ...change }
}
