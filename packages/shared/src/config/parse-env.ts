import type { z } from 'zod'
import { ConfigError, type ConfigFault } from './config-error.ts'

/** The shape of `process.env`, taken as an argument so that nothing here reads the real one. */
export type Env = Readonly<Record<string, string | undefined>>

/**
 * Turns the environment into a typed configuration.
 * An empty string counts as unset, because `.env` files and compose write unset variables like that.
 * @throws ConfigError with all faults together (variable and problem, never a value)
 */
export function parseEnv<Schema extends z.ZodType>(schema: Schema, env: Env): z.output<Schema> {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
  const parsed = schema.safeParse(given, { reportInput: false })
  if (parsed.success) return parsed.data
  throw new ConfigError(parsed.error.issues.map((issue) => toFault(issue, given)))
}

function toFault(issue: z.core.$ZodIssue, given: Record<string, unknown>): ConfigFault {
  const variable = issue.path.map(String).join('.') || '(environment)'
  const isMissing = issue.code === 'invalid_type' && issue.path.length === 1 && !(variable in given)
  return { variable, problem: isMissing ? 'is required' : issue.message }
}
