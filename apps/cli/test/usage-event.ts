const DAY_MS = 86_400_000

// The organization and the user of test events.
const ORGANIZATION = '00000000-0000-4000-8000-000000000001'
const USER = '00000000-0000-4000-8000-0000000000a1'

/** A usage event as `ingest_usage` takes it: 10 + 1 LLM tokens of gpt-4o unless told otherwise. */
export function usageEvent(
  id: number | string,
  { daysAgo = 0, ...change }: { daysAgo?: number } & Record<string, unknown> = {},
) {
  const time = new Date(Date.now() - daysAgo * DAY_MS).toISOString()
  const envelope = {
    type: 'usage.recorded',
    source: 's',
    id: String(id),
    time,
    received_at: new Date().toISOString(),
    member: true,
  }
  const who = { organization_id: ORGANIZATION, user_id: USER, session_id: 'c' }
  const counts = { input_tokens: 10, output_tokens: 1, message_count: 1 }
  const none = { cache_read_input_tokens: 0, cache_creation_input_tokens: 0, reasoning_output_tokens: 0 }
  return { ...envelope, ...who, model: 'gpt-4o', ...counts, ...none, ...change }
}
