import type { QuotaRow } from '../data/reports.ts'
import { formatShort, formatTime } from './format.ts'

/** What will be used at the end of the period if it goes on as so far; nothing is said in its first hours. */
export function project(position: QuotaRow, now: number): number | null {
  const [start, end] = [Date.parse(position.period_start), Date.parse(position.period_end)]
  const share = (now - start) / (end - start)
  return share < 0.02 || share > 1 ? null : Math.round(Number(position.used_tokens) / share)
}

/** What happens to the organization next, by its policy. */
export function nextStep({ steps, used_tokens, period_end, time_zone, state }: QuotaRow): string {
  const end = formatTime(period_end, time_zone)
  const next = steps.find(({ at_tokens }) => BigInt(at_tokens) > BigInt(used_tokens))
  const renewal =
    state === 'active' ? `The period ends ${end}.` : `Full access comes back ${end}, or when the limit is raised.`
  if (next === undefined) return renewal
  return `At ${formatShort(Number(next.at_tokens))} LLM tokens it becomes ${next.state}. ${renewal}`
}
