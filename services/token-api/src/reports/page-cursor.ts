import { boundedText, ProblemError, uuid } from '@tollgate/shared/contracts'
import { z } from 'zod'

const part = boundedText(500).nullable()
const json = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    context.addIssue('must be JSON')
    return z.NEVER
  }
})

/** What `list_usage` continues after: bucket, model, user and kind of the last row. */
export const usageCursor = json.pipe(z.tuple([part, part, part, part]))

/** What `list_chat_sessions` continues after: start, user and id of the last session. */
export const sessionCursor = boundedText(1_000).refine((text) => {
  const [start = '', user = '', ...id] = text.split(' ')
  return z.iso.datetime().safeParse(start).success && uuid.safeParse(user).success && id.length > 0
})

/** A cursor as it goes out: opaque, and safe in a URL. */
export const sealCursor = (cursor: string): string => Buffer.from(cursor).toString('base64url')

/** A cursor as it came back, undefined for the first page. @throws ProblemError `bad-request` for any other text */
export function openCursor(after: string | undefined, kind: z.ZodType): string | undefined {
  if (after === undefined) return undefined
  const cursor = Buffer.from(after, 'base64url').toString()
  if (kind.safeParse(cursor).success) return cursor
  throw new ProblemError('bad-request', 'The cursor "after" must be the "next" of an answer to the same question.')
}
