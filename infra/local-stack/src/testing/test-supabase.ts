import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { inject } from 'vitest'
import { openProvider } from '../open-provider.ts'
import { choosePorts } from '../ports.ts'
import { openStackDir } from '../stack-dir.ts'
import type { SupabaseKeys } from '../supabase.ts'
import { createTeardown } from '../teardown.ts'
import './provided.ts'
import { createTemporaryDir } from '../temporary-dir.ts'

/** A Supabase-compatible API over a test's own database. */
export type TestSupabase = SupabaseKeys & { url: string; stop(): Promise<void> }

/** Starts the API over `databaseUrl` (as superuser), which must be migrated: it reads the schema when it starts. */
export const startTestSupabase = async (databaseUrl: string): Promise<TestSupabase> => {
  const { keys } = inject('tollgate')
  const teardown = createTeardown()
  try {
    const temporary = createTemporaryDir()
    teardown.defer(() => temporary.remove())
    const { paths, registry, close } = await openStackDir({ dir: temporary.dir })
    teardown.defer(close)
    const { supabase: port } = await choosePorts({ supabase: {} })
    const logFile = join(paths.logs, `supabase-${randomUUID()}.log`)
    const provider = await openProvider(process.env, () => undefined)
    const api = provider.createSupabase({ projectDir: paths.supabase, logFile, port, databaseUrl, keys, registry })
    teardown.defer(() => api.stop())
    await api.start()
    return { ...keys, url: api.url, stop: () => teardown.run() }
  } catch (error) {
    await teardown.run()
    throw error
  }
}
