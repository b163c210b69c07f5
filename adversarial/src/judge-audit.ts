import { z } from 'zod'

const report = z.object({ metadata: z.object({ vulnerabilities: z.record(z.string(), z.number()) }) })
const failure = z.object({ error: z.object({ code: z.string() }) })

/** What the registry knows of the packages, or that it was not to be asked. */
export type AuditVerdict =
  | { readonly asked: true; readonly known: Readonly<Record<string, number>>; readonly isGood: boolean }
  | { readonly asked: false; readonly why: string }

/** Reads what `pnpm audit --json` printed: nothing of moderate or worse may be known. Silence is no good news. */
export function judgeAudit(output: string): AuditVerdict {
  const json = parse(output)
  const good = report.safeParse(json)
  if (good.success) {
    const known = good.data.metadata.vulnerabilities
    const bad = ['moderate', 'high', 'critical'].reduce((sum, severity) => sum + (known[severity] ?? 0), 0)
    return { asked: true, known, isGood: bad === 0 }
  }
  const failed = failure.safeParse(json)
  const why = failed.success ? failed.data.error.code : (/ERR_[A-Z_]+/.exec(output)?.[0] ?? 'no readable answer')
  return { asked: false, why }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
