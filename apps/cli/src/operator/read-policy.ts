import { readFile } from 'node:fs/promises'
import { type QuotaPolicy, quotaPolicy } from '@tollgate/shared/contracts'
import { InvalidArgumentError } from 'commander'
import { z } from 'zod'
import { CliError, EXIT } from './cli-error.ts'

/** Reads a ladder from a JSON file, as the API takes it. @throws CliError */
export async function readPolicyFile(path: string): Promise<QuotaPolicy> {
  try {
    return quotaPolicy.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : String(error)
    throw new CliError(`${path} is no policy: ${why}`, EXIT.misused)
  }
}

/** A limit; wrapped, since commander takes a bare null for a missing value. */
export interface Limit {
  readonly tokens: bigint | null
}

/** Reads LLM tokens, or `unlimited`, as an option gives them. */
export function readLimit(text: string): Limit {
  if (text === 'unlimited') return { tokens: null }
  if (/^\d{1,15}$/.test(text)) return { tokens: BigInt(text) }
  throw new InvalidArgumentError('a whole number of LLM tokens, or `unlimited`, is needed.')
}
