import type { Mutation } from './mutation.ts'

/** A mutation and whether its test has noticed. */
export interface Trial {
  readonly mutation: Mutation
  readonly caught: boolean
}

const HEAD = `# Mutants

What \`pnpm mutants\` found when it was last run: each fault was built into a copy of the repository, and the test beside it, which passes
without the fault, failed. The faults are exact edits of the real sources ([mutants/src/mutations](../mutants/src/mutations)); a fault in SQL
comes with its migration. \`pnpm check\` keeps the list true: each edit must fit its file and each test must exist.

| fault                | in    | noticed by |    |
| -------------------- | ----- | ---------- | -- |
`

const link = (file: string): string => `[${file.split('/').at(-1)}](../${file})`
const cell = (text: string): string => text.replaceAll('|', '\\|')

/** The page of the documentation. */
export function renderTable(trials: readonly Trial[]): string {
  const rows = trials.map(({ mutation: { fault, edits, test }, caught }) => {
    const files = [...new Set(edits.map(({ file }) => file))].map(link).join(', ')
    return `| ${cell(fault)} | ${files} | ${link(test.file)}: ${cell(test.title)} | ${caught ? 'caught' : '**not caught**'} |`
  })
  const caught = trials.filter((trial) => trial.caught).length
  return `${HEAD}${rows.join('\n')}\n\n${caught} of ${trials.length} caught.\n`
}
