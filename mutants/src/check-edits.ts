// Fails when a fault of `pnpm mutants` no longer fits the sources, or its test is gone: whoever changes a line that a fault
// is built into adapts the fault.
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { applyEdit } from './apply-edit.ts'
import { MUTATIONS } from './mutations/index.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const read = (file: string): string => readFileSync(resolve(ROOT, file), 'utf8')

const faults = MUTATIONS.flatMap(({ name, edits, test: { file, title, stands = title } }) => {
  const misfits = edits.flatMap((edit) => {
    try {
      return applyEdit(read(edit.file), edit) === read(edit.file) ? [`${edit.file}: the edit changes nothing`] : []
    } catch (error) {
      return [error instanceof Error ? error.message : String(error)]
    }
  })
  const missing = read(file).includes(stands) ? [] : [`${file}: no test called ${stands}`]
  return [...misfits, ...missing].map((text) => `mutants/src/mutations, ${name}: ${text}`)
})
if (faults.length > 0) {
  console.error(faults.join('\n'))
  process.exit(1)
}
