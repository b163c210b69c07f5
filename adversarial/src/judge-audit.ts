import { z } from 'zod'
import type { Finding } from './finding.ts'

const report = z.object({
  metadata: z.object({
    vulnerabilities: z.object({
      info: z.number(),
      low: z.number(),
      moderate: z.number(),
      high: z.number(),
      critical: z.number(),
    }),
  }),
})
const failure = z.object({ error: z.object({ code: z.string() }) })

/** Reads what `pnpm audit --json` printed: nothing of moderate severity or worse may be known. Silence is no good news. */
export function judgeAudit(output: string): Finding {
  const json = parse(output)
  const answered = report.safeParse(json)
  if (answered.success) {
    const known = answered.data.metadata.vulnerabilities
    const isBad = known.moderate + known.high + known.critical > 0
    const counts = Object.entries(known).map(([severity, count]) => `${count} ${severity}`)
    return { name: 'audit', verdict: isBad ? 'bad' : 'good', text: `known against the packages: ${counts.join(', ')}` }
  }
  const failed = failure.safeParse(json)
  const why = failed.success ? failed.data.error.code : (/ERR_[A-Z_]+/.exec(output)?.[0] ?? 'no readable answer')
  return { name: 'audit', verdict: 'not asked', text: `the registry has not answered (${why})` }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
