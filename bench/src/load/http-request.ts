/** The bytes of a request. */
export interface RequestParts {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** A bearer token, or a cookie. */
  readonly token?: string
  readonly cookie?: string
  readonly body?: { readonly type: string; readonly text: string } // a GET has none
}

/** Writes a request as it goes over the wire, so that nothing of it is made while time is taken. */
export function formatRequest({ method, path, token, cookie, body }: RequestParts): Buffer {
  const head = [`${method} ${path} HTTP/1.1`, 'host: 127.0.0.1']
  if (token !== undefined) head.push(`authorization: Bearer ${token}`)
  if (cookie !== undefined) head.push(`cookie: ${cookie}`)
  if (body === undefined) return Buffer.from(`${head.join('\r\n')}\r\n\r\n`)
  head.push(`content-type: ${body.type}`, `content-length: ${Buffer.byteLength(body.text)}`)
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body.text}`)
}
