// Prints the configuration of the gate: node infra/nginx/src/main.ts > /etc/nginx/conf.d/tollgate.conf
import { z } from 'zod'
import { renderGate } from './render-gate.ts'

try {
  process.stdout.write(renderGate(process.env))
} catch (error) {
  if (!(error instanceof z.ZodError)) throw error
  console.error(z.prettifyError(error))
  process.exitCode = 1
}
