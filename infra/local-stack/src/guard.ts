// Waits for the end of the process that started it (its standard input closes, however that process ended), then ends the
// servers recorded in <directory>/running.json and removes the directory: an interrupted test run leaves nothing behind.
import { rmSync } from 'node:fs'
import { stackPaths } from './paths.ts'
import { removePostgresData } from './postgres-binaries.ts'
import { endOrphans } from './stack-dir.ts'

const paths = stackPaths(process.argv[2])
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
process.stdin.resume()
process.stdin.once('close', () => {
  void endOrphans(paths.running, () => {}).finally(() => {
    removePostgresData(paths.postgres)
    rmSync(paths.dir, { recursive: true, force: true })
    process.exit(0)
  })
})
