import { StackError } from '@tollgate/local-stack'
import { StoreError } from '@tollgate/shared/store'
import { CommanderError } from 'commander'
import { DemoError } from '../demo/demo-error.ts'
import { CliError, EXIT } from './cli-error.ts'

/** How a failed command ends: the exit code, and what is still to be printed (null: everything has been said). */
export interface ErrorReport {
  readonly exitCode: number
  readonly message: string | null
}

/** Turns whatever a command threw into an exit code and a message; an unexpected fault keeps its stack trace. */
export function reportError(error: unknown): ErrorReport {
  // Commander has printed the usage itself; --help and --version end here too, with code 0.
  if (error instanceof CommanderError)
    return { exitCode: error.exitCode === 0 ? EXIT.done : EXIT.misused, message: null }
  if (error instanceof CliError) return { exitCode: error.exitCode, message: error.message }
  if (error instanceof DemoError || error instanceof StackError) return { exitCode: EXIT.found, message: error.message }
  if (error instanceof StoreError) return reportStoreError(error)
  return { exitCode: EXIT.found, message: error instanceof Error ? (error.stack ?? error.message) : String(error) }
}

function reportStoreError(error: StoreError): ErrorReport {
  if (error.code === 'unavailable') {
    return { exitCode: EXIT.unavailable, message: `The database does not answer: ${error.message}` }
  }
  if (error.sqlState === '42883' || error.sqlState === 'PGRST202') {
    return { exitCode: EXIT.found, message: `The database lacks this function, is its schema older? ${error.message}` }
  }
  return { exitCode: EXIT.found, message: error.message }
}
