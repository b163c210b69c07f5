import { expect, test } from 'vitest'
import { untilAborted } from './until-aborted.ts'

test('an interrupt is noticed, whether it comes before or after somebody waits for it', async () => {
  const abort = new AbortController()
  const before = untilAborted(abort.signal)
  abort.abort()
  await expect(before).resolves.toBeUndefined()
  await expect(untilAborted(abort.signal)).resolves.toBeUndefined()
})
