import { ProblemError } from '@tollgate/shared/contracts'
import type { App } from '../routes/typed-app.ts'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Reads bodies of these types as JSON in UTF-8 (RFC 8259 8.1). An empty body is undefined, since clients send the
 * header without one. JSON.parse alone is safe here: nothing is ever copied into an object but by a schema.
 */
export function parseJsonBodies(app: App, contentTypes: string[], bodyLimit: number): void {
  app.removeContentTypeParser(contentTypes)
  const options = { parseAs: 'buffer', bodyLimit } as const
  app.addContentTypeParser(contentTypes, options, async (_request: unknown, body: Buffer) => {
    if (body.length === 0) return undefined
    try {
      return JSON.parse(decoder.decode(body))
    } catch (error) {
      throw new ProblemError('bad-request', 'The body is not JSON in UTF-8.', { cause: error })
    }
  })
}
