/** The cookies of one browser, shared by the pages (sessions) that are given its `fetch`. */
export interface CookieJar {
  readonly fetch: typeof fetch
}

/** Makes the platform's fetch keep cookies as a browser does for calls with credentials; it counts every host as one. */
export function openCookieJar(inner: typeof fetch): CookieJar {
  const cookies = new Map<string, string>()
  return {
    fetch: async (input, init) => {
      if (init?.credentials !== 'include') return inner(input, init)
      const headers = new Headers(init.headers)
      if (cookies.size > 0) headers.set('cookie', [...cookies].map(([name, value]) => `${name}=${value}`).join('; '))
      const response = await inner(input, { ...init, headers })
      for (const line of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
        if (/; *max-age=0/i.test(line)) cookies.delete(name)
        else cookies.set(name, value)
      }
      return response
    },
  }
}
