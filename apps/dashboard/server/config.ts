import { boolean, commonEnv, url } from '@tollgate/shared/config'
import { z } from 'zod'

/** Environment of the dashboard's server: it serves files and says where the page finds its servers. It holds no secret. */
export const dashboardEnv = z.object({
  ...commonEnv.pick({ HOST: true, PORT: true, LOG_LEVEL: true, DEBUG: true }).shape,
  SUPABASE_URL: url(['http', 'https']),
  // For a Supabase API that refuses browsers of other origins, as @supabase/lite does: it is reached through this server.
  SUPABASE_SAME_ORIGIN: boolean().prefault('false'),
  SUPABASE_PUBLISHABLE_KEY: z.string().min(1),
  /** Address of the token API as browsers reach it. */
  TOKEN_API_URL: url(['http', 'https']),
})
export type DashboardConfig = z.infer<typeof dashboardEnv>
