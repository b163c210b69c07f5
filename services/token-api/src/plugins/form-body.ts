import type { App } from '../routes/typed-app.ts'

const FORM = 'application/x-www-form-urlencoded'
const LIMIT_BYTES = 64 * 1024

/** Reads bodies as forms; of a field that comes twice nothing is left, so that a schema refuses it. */
export function parseFormBodies(app: App): void {
  app.addContentTypeParser(
    FORM,
    { parseAs: 'string', bodyLimit: LIMIT_BYTES },
    async (_request: unknown, body: string) => {
      const fields = new URLSearchParams(body)
      const once = [...fields.keys()].filter((name) => fields.getAll(name).length === 1)
      return Object.fromEntries(once.map((name) => [name, fields.get(name)]))
    },
  )
}
