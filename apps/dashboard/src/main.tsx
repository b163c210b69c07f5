import { createClient } from '@supabase/supabase-js'
import { render } from 'preact'
import { App } from './app.tsx'
import { RealtimeContext } from './data/use-live.ts'

/** Where the page finds its servers; the server that serves the page says it (server/main.ts). */
export interface PageConfig {
  /** An address, or a path of the page's own server. */
  readonly supabaseUrl: string
  readonly publishableKey: string
  readonly tokenApiUrl: string
  /** Whether Supabase's Realtime can be reached. */
  readonly realtime: boolean
}

const root = document.getElementById('app')
if (root) {
  const config: PageConfig = await (await fetch('/config.json')).json()
  // A session in the address would sign whoever follows a link in as whoever made it.
  const client = createClient(new URL(config.supabaseUrl, location.href).href, config.publishableKey, {
    auth: { detectSessionInUrl: false },
  })
  render(
    <RealtimeContext.Provider value={config.realtime}>
      <App client={client} tokenApiUrl={config.tokenApiUrl} />
    </RealtimeContext.Provider>,
    root,
  )
}
