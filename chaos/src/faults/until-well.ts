import { setTimeout as delay } from 'node:timers/promises'
import { ChaosError } from '../chaos-error.ts'
import type { ChaosStack } from '../stack/open-chaos-stack.ts'

const POLL_MS = 200
const TELL_MS = 5_000
const PATIENCE_MS = 90_000

/** Asks whether an event that is sent to this instance of the API is recorded at once. */
export type Probe = (tokenApi: string) => Promise<boolean>

/**
 * Waits until every service says that it is ready and an event sent to each API is recorded within the request; says what
 * is missing when that takes long. Rejects when the run is stopping. @throws ChaosError after a minute and a half: nothing
 * that lasts so long heals by itself
 */
export async function untilWell(
  stack: ChaosStack,
  probe: Probe,
  { log, stopping }: { readonly log: (line: string) => void; readonly stopping: AbortSignal },
): Promise<void> {
  const startMs = performance.now()
  let tellAtMs = startMs + TELL_MS
  for (;;) {
    const missing = await findMissing(stack, probe)
    if (missing === '') return
    if (performance.now() - startMs > PATIENCE_MS) {
      throw new ChaosError(`Not well again after ${PATIENCE_MS / 1_000} s: ${missing}`)
    }
    if (performance.now() > tellAtMs) {
      log(`  not well yet after ${Math.round((performance.now() - startMs) / 1_000)} s: ${missing}`)
      tellAtMs += TELL_MS
    }
    await delay(POLL_MS, undefined, { signal: stopping })
  }
}

/** The first thing that is not well, in words; nothing when all is. */
async function findMissing({ services, tokenApis }: ChaosStack, probe: Probe): Promise<string> {
  for (const [label, { url }] of services) {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(3_000) }).then(
      async (response) => (response.ok ? '' : `${response.status} ${await response.text()}`),
      (error: unknown) => String(error),
    )
    if (answer !== '') return `${label} is not ready (${answer})`
  }
  for (const url of tokenApis) {
    if (!(await probe(url))) return `no event is recorded through ${url}`
  }
  return ''
}
