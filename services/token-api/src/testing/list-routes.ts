import type { App } from '../routes/typed-app.ts'

/** Every route of an app that is not ready yet, hidden ones too, as `GET /v1/keys/{id}`. */
export async function listRoutes(app: App): Promise<string[]> {
  const routes = new Set<string>()
  app.addHook('onRoute', ({ method, url }) => {
    for (const verb of [method].flat()) routes.add(`${verb} ${url.replaceAll(/:(\w+)/g, '{$1}')}`)
  })
  await app.ready()
  // The files of the page /docs are no routes of the API.
  return [...routes].filter((route) => !/^(?:HEAD|OPTIONS) |^GET \/docs\/./.test(route)).toSorted()
}
