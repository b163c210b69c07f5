import { redactText } from '../logging/index.ts'

/** Resolves when the named thing works; throws what is wrong otherwise. */
export type Check = (signal: AbortSignal) => unknown

/** What one check found. */
export type CheckResult =
  | { readonly status: 'ok'; readonly ms: number }
  | { readonly status: 'failed'; readonly ms: number; readonly reason: string }

/** Runs all checks side by side, each under its own timeout. */
export async function runChecks(
  checks: Readonly<Record<string, Check>>,
  timeoutMs: number,
): Promise<{ ok: boolean; checks: Record<string, CheckResult> }> {
  const names = Object.keys(checks)
  const results = await Promise.all(Object.values(checks).map((check) => runCheck(check, timeoutMs)))
  return {
    ok: results.every((result) => result.status === 'ok'),
    checks: Object.fromEntries(results.map((result, index) => [names[index] ?? '', result])),
  }
}

async function runCheck(check: Check, timeoutMs: number): Promise<CheckResult> {
  const begin = performance.now()
  const elapsedMs = () => Math.round(performance.now() - begin)
  const { promise: expired, reject } = Promise.withResolvers<never>()
  const stop = new AbortController()
  const timer = setTimeout(() => {
    const error = new Error(`no answer in ${timeoutMs} ms`)
    stop.abort(error)
    reject(error)
  }, timeoutMs)
  try {
    await Promise.race([Promise.try(check, stop.signal), expired])
    return { status: 'ok', ms: elapsedMs() }
  } catch (error) {
    const reason = redactText(error instanceof Error ? error.message : String(error)).slice(0, 300)
    return { status: 'failed', ms: elapsedMs(), reason }
  } finally {
    clearTimeout(timer)
  }
}
