/** An answer with its parsed body. */
export interface Answer<Body> {
  readonly status: number
  readonly headers: Headers
  readonly body: Body
}

/** Calls the API; `json` is sent as it is when it is text. */
export async function call<Body = Record<string, unknown>>(
  url: string,
  path: string,
  options: { method?: string; token?: string; json?: unknown; type?: string; headers?: Record<string, string> } = {},
): Promise<Answer<Body>> {
  const { method = 'GET', token, json, type = 'application/json', headers = {} } = options
  const body = json === undefined || typeof json === 'string' ? json : JSON.stringify(json)
  const response = await fetch(url + path, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': type }),
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
  })
  const text = await response.text()
  const isJson = text !== '' && response.headers.get('content-type')?.includes('json') === true
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text }
}
