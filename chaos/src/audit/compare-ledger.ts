import type { Counts, SentUsage } from '../load/book.ts'
import type { Finding, Queryable } from './finding.ts'

/** An event as the ledger has it: the sums of its signed entries. */
interface LedgerRow {
  key: string
  usages: number
  events: number
  input: number
  output: number
  cached: number
  reasoning: number
  messages: number
}

const LEDGER = `select organization_id || ' ' || event_id as key, (count(*) filter (where entry = 'usage'))::int as usages,
    sum(event_count)::int as events, sum(input_tokens)::float8 as input, sum(output_tokens)::float8 as output,
    sum(cache_read_input_tokens)::float8 as cached, sum(reasoning_output_tokens)::float8 as reasoning,
    sum(message_count)::int as messages
  from tollgate.usage_events group by organization_id, event_id`

/** How often events were counted, against what was promised. */
export interface LedgerFinding extends Finding {
  readonly accepted: number
  readonly lost: number
  readonly twice: number
}

/**
 * Every event that was answered is counted exactly once, with the counts of its highest revision; one that was not answered
 * at most once; and none that nobody sent.
 */
export async function compareLedger(db: Queryable, usage: ReadonlyMap<string, SentUsage>): Promise<LedgerFinding> {
  const { rows } = await db.query<LedgerRow>(LEDGER)
  const ledger = new Map(rows.map((row) => [row.key, row]))
  const faults: string[] = []
  let [accepted, lost, twice] = [0, 0, 0]
  for (const [key, sent] of usage) {
    const row = ledger.get(key)
    if (sent.isAnswered) accepted++
    if (row === undefined || row.usages === 0) {
      if (!sent.isAnswered) continue
      lost++
      faults.push(`${key} was accepted and is not in the ledger`)
    } else if (row.usages > 1) {
      twice++
      faults.push(`${key} is in the ledger ${row.usages} times`)
    } else {
      const says = textOf(row)
      const may = possibleSums(sent)
      if (!may.includes(says)) faults.push(`${key} is counted as ${says}, not as ${may.join(' or ')}`)
    }
  }
  const strangers = rows.filter(({ key }) => !usage.has(key))
  faults.push(...strangers.map(({ key }) => `${key} is in the ledger and was never sent`))
  const looked = `${accepted} events accepted, ${rows.length} in the ledger: ${lost} lost, ${twice} counted twice`
  return { audit: 'ledger = what was sent', faults, looked, accepted, lost, twice }
}

/** What may stand in the ledger: the counts of the highest revision, or of a higher one that was not answered. */
function possibleSums({ event, corrections }: SentUsage): string[] {
  const answered = corrections.filter(({ isAnswered }) => isAnswered)
  const highest = Math.max(0, ...answered.map(({ revision }) => revision))
  const holding = corrections.filter(({ revision, isAnswered }) => revision > highest && !isAnswered)
  const standing = corrections.find(({ revision }) => revision === highest)
  const { message_count } = event.data
  return [standing?.counts ?? ofEvent(event.data), ...holding.map(({ counts }) => counts)].map((counts) =>
    sumsOf(counts, message_count ?? 1),
  )
}

function ofEvent(data: SentUsage['event']['data']): Counts {
  const { input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens } = data
  const { reasoning_output_tokens } = data
  const cached = { cache_read_input_tokens, cache_creation_input_tokens }
  return { input_tokens, output_tokens, ...cached, reasoning_output_tokens }
}

// A correction to nothing voids its event: neither event nor message is left.
function sumsOf(counts: Counts, messages: number): string {
  const isVoid = counts.input_tokens + counts.output_tokens === 0
  return textOf({
    events: isVoid ? 0 : 1,
    input: counts.input_tokens,
    output: counts.output_tokens,
    cached: counts.cache_read_input_tokens,
    reasoning: counts.reasoning_output_tokens,
    messages: isVoid ? 0 : messages,
  })
}

function textOf({ events, input, output, cached, reasoning, messages }: Omit<LedgerRow, 'key' | 'usages'>): string {
  return `events ${events}, input ${input} (cached ${cached}), output ${output} (reasoning ${reasoning}), messages ${messages}`
}
