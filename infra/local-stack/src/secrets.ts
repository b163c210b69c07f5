import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { z } from 'zod'
import { StackError } from './errors.ts'

const secretsShape = z.object({
  postgresPassword: z.string().min(16),
  redisPassword: z.string().min(16),
  rolePassword: z.string().min(16),
  jwtSecret: z.string().min(32),
  publishableKey: z.string().startsWith('sb_publishable_'),
  secretKey: z.string().startsWith('sb_secret_'),
  librechatJwtSecret: z.string().min(32),
  refreshSecret: z.string().min(32),
  demoPassword: z.string().min(8),
  ingestKey: z.string().regex(/^tg_[\w-]{32}$/),
  operatorKey: z.string().regex(/^tg_[\w-]{32}$/),
})

/** Every secret of a local stack, generated once and kept, so that keys and sessions survive a restart. */
export type StackSecrets = z.infer<typeof secretsShape>

const text = (bytes = 24): string => randomBytes(bytes).toString('base64url')

/** A Supabase API key: 22 random characters and 8 of a checksum, as Supabase issues them. */
const apiKey = (kind: 'publishable' | 'secret'): string => {
  const body = `sb_${kind}_${text(17).slice(0, 22)}`
  const checksum = createHash('sha256').update(`supabase-self-hosted|${body}`).digest('base64url').slice(0, 8)
  return `${body}_${checksum}`
}

/** Makes a new set of secrets. */
const generateSecrets = (): StackSecrets => ({
  postgresPassword: text(),
  redisPassword: text(),
  rolePassword: text(),
  jwtSecret: text(36),
  publishableKey: apiKey('publishable'),
  secretKey: apiKey('secret'),
  librechatJwtSecret: text(36),
  refreshSecret: text(36),
  demoPassword: `demo-${text(9)}`,
  ingestKey: `tg_${text()}`,
  operatorKey: `tg_${text()}`,
})

/** Writes a file that only its owner can read, in one step, so that an interrupted start leaves no half file. */
export const writePrivateFile = (file: string, content: string): void => {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(`${file}.new`, content, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

/** Reads the secrets of a stack, or makes them on its first start. */
export const loadSecrets = (file: string): StackSecrets => {
  if (!existsSync(file)) {
    const secrets = generateSecrets()
    writePrivateFile(file, `${JSON.stringify(secrets, null, 2)}\n`)
    return secrets
  }
  const parsed = secretsShape.safeParse(JSON.parse(readFileSync(file, 'utf8')))
  if (!parsed.success)
    throw new StackError(`${file} is not readable as this version wrote it. Start again with --fresh.`)
  return parsed.data
}
