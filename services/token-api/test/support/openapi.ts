import type { JsonSchema } from './arbitrary-of.ts'

/** One operation of an OpenAPI document, with what it promises to answer. */
export interface Operation {
  readonly name: string
  readonly method: string
  readonly path: string
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly schema: JsonSchema }[]
  /** Undefined: the operation takes no body. */
  readonly body: JsonSchema | undefined
  readonly contentTypes: readonly string[]
  /** Status → content type → schema; no content types for an answer without a body or without a schema. */
  readonly responses: Readonly<Record<string, Readonly<Record<string, JsonSchema>>>>
}

interface Content {
  readonly content?: Record<string, { schema?: JsonSchema }>
}

/** An OpenAPI document, as far as a client needs it. */
export interface Document {
  readonly paths: Record<string, Record<string, OperationObject>>
  readonly components?: { readonly schemas?: Record<string, JsonSchema> }
}

interface OperationObject {
  readonly parameters?: { name: string; in: string; schema: JsonSchema }[]
  readonly requestBody?: Content
  readonly responses?: Record<string, Content>
}

/** Every operation of a document. */
export function listOperations({ paths }: Document): Operation[] {
  return Object.entries(paths).flatMap(([path, verbs]) =>
    Object.entries(verbs).map(([verb, { parameters = [], requestBody, responses = {} }]) => {
      const content = requestBody?.content ?? {}
      const method = verb.toUpperCase()
      return {
        name: `${method} ${path}`,
        method,
        path,
        parameters,
        body: Object.values(content)[0]?.schema,
        contentTypes: Object.keys(content),
        responses: Object.fromEntries(Object.entries(responses).map(([status, answer]) => [status, schemasOf(answer)])),
      }
    }),
  )
}

function schemasOf({ content = {} }: Content): Record<string, JsonSchema> {
  return Object.fromEntries(Object.entries(content).map(([type, { schema = {} }]) => [type, schema]))
}
