import type { App } from '../routes/typed-app.ts'

/** Every route of an app that is not ready yet, hidden ones too, as `GET /v1/keys/{id}`. */
export async function listRoutes(app: App): Promise<string[]> {
  const routes = new Set<string>()
  app.addHook('onRoute', ({ method, url }) => {
    for (const verb of [method].flat()) routes.add(`${verb} ${url.replaceAll(/:(\w+)/g, '{$1}')}`)
  })
  await app.ready()
  return [...routes].filter((route) => !/^(?:HEAD|OPTIONS) /.test(route)).toSorted()
}
