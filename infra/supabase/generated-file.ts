import { readFileSync, writeFileSync } from 'node:fs'

/**
 * Writes a generated migration; with `--check` on the command line writes nothing and ends the process with status 1
 * when the committed file is not what its sources say.
 */
export function writeOrCheck(target: string, content: string): void {
  if (!process.argv.includes('--check')) {
    writeFileSync(target, content)
  } else if (readFileSync(target, 'utf8') !== content) {
    console.error(`${target} is not what its sources say: run \`pnpm generate\` and commit the result.`)
    process.exit(1)
  }
}
