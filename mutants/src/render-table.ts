import type { Mutation } from './mutation.ts'

/** A mutation and whether its test has noticed. */
export interface Trial {
  readonly mutation: Mutation
  readonly caught: boolean
}

const HEAD = `# Mutants

What \`pnpm mutants\` found when it was last run, on %DATE%: each fault was built into a copy of what was committed, and the test beside
it, which passes without the fault, failed. One alone: \`npx -y pnpm@12 mutants <name>\`. The faults are exact edits of the real sources
([mutants/src/mutations](../mutants/src/mutations)); a fault in SQL comes with its migration. \`pnpm check\` keeps the list true: each edit
must fit its file and each test must exist.

| name | fault                | in    | noticed by |    |
| ---- | -------------------- | ----- | ---------- | -- |
`

const link = (file: string): string => `[${file.split('/').at(-1)}](../${file})`
const cell = (text: string): string => text.replaceAll('|', '\\|')

/** The page of the documentation. Parameters: the trials; the day on which they were made, as YYYY-MM-DD. */
export function renderTable(trials: readonly Trial[], date: string): string {
  const rows = trials.map(({ mutation: { name, fault, edits, test }, caught }) => {
    const files = [...new Set(edits.map(({ file }) => file))].map(link).join(', ')
    return `| ${name} | ${cell(fault)} | ${files} | ${link(test.file)}: ${cell(test.title)} | ${caught ? 'caught' : '**not caught**'} |`
  })
  const caught = trials.filter((trial) => trial.caught).length
  return `${HEAD.replace('%DATE%', date)}${rows.join('\n')}\n\n${caught} of ${trials.length} caught.\n`
}
