import type { HeaderSink } from '../quota/rate-limit-headers.ts'

/** A header of an answer. */
export type Header = readonly [name: string, value: string]

/** Headers of an answer that has not begun. */
export interface CollectedHeaders extends HeaderSink {
  readonly headers: readonly Header[]
  /** Names and values in turn. */
  flat(): string[]
}

/** Collects headers where there is no reply yet; a name that is set again is replaced. */
export function collectHeaders(first: readonly Header[]): CollectedHeaders {
  const headers = [...first]
  const placeOf = (name: string) => headers.findIndex(([other]) => other === name)
  return {
    headers,
    getHeader: (name) => headers[placeOf(name)]?.[1],
    header: (name, value) => {
      const place = placeOf(name)
      headers[place < 0 ? headers.length : place] = [name, value]
    },
    flat: () => headers.flat(),
  }
}
