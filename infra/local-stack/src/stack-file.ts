import { existsSync, readFileSync } from 'node:fs'
import { z } from 'zod'
import { type StackPaths, stackPaths } from './paths.ts'
import { processStamp } from './process-stamp.ts'
import { writePrivateFile } from './secrets.ts'

/** `.tollgate/stack.json`: where a running stack is, for tests, benchmarks, the demo and other programs. */
export const stackFile = z.object({
  tokenApi: z.url(),
  /** Absent while the stack runs without the dashboard. */
  dashboard: z.url().optional(),
  supabase: z.object({ url: z.url(), publishableKey: z.string(), secretKey: z.string() }),
  databaseUrl: z.string().startsWith('postgres://'),
  redisUrl: z.string().startsWith('redis://'),
  ingestKey: z.string().startsWith('tg_'),
  operatorKey: z.string().startsWith('tg_'),
  pids: z.record(z.string(), z.int().positive()),
  organizations: z.array(
    z.object({ id: z.uuid(), domain: z.string(), plan_type: z.string(), max_tokens: z.int().positive() }),
  ),
  users: z.array(
    z.object({
      id: z.uuid(),
      email: z.string(),
      password: z.string(),
      role: z.enum(['user', 'admin', 'super_admin']),
      organization_id: z.uuid(),
    }),
  ),
})

/** The content of `.tollgate/stack.json`. */
export type StackFile = z.infer<typeof stackFile>

/** Writes stack.json for its owner alone: it holds keys. */
export const writeStackFile = (paths: StackPaths, content: StackFile): void =>
  writePrivateFile(paths.stackFile, `${JSON.stringify(stackFile.parse(content), null, 2)}\n`)

/** Reads stack.json of a running stack; null when there is none or one of its processes no longer lives. */
export const readStackFile = (dir?: string): StackFile | null => {
  const { stackFile: file } = stackPaths(dir)
  if (!existsSync(file)) return null
  const content = stackFile.parse(JSON.parse(readFileSync(file, 'utf8')))
  return Object.values(content.pids).every((pid) => processStamp(pid) !== null) ? content : null
}
