import { type BenchResult, type Figure, type Goal, type Ratio, reaches, type ScenarioReport } from './report.ts'

/** Lines up cells under their heads; numbers stand right. */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(3, title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, column) => pad(cells[column] ?? '', width, column > 0)).join(' | ')} |`
  const rule = `| ${widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`
  return [line(head), rule, ...rows.map(line)].join('\n')
}

function pad(text: string, width: number, toRight: boolean): string {
  return toRight ? text.padStart(width) : text.padEnd(width)
}

/** A number with as many digits as mean something. */
export function formatNumber(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US')
  return value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

function formatGoal(goal: Goal | undefined): string {
  if (goal === undefined) return ''
  return `${goal.is === 'at least' ? '≥' : '≤'} ${formatNumber(goal.value)}`
}

function verdict(of: Ratio | Figure): string {
  const reached = reaches(of)
  if (reached === undefined) return ''
  return reached ? 'yes' : 'no'
}

function cells(of: Ratio | Figure): string[] {
  return [formatNumber(of.value), `${formatNumber(of.min)} – ${formatNumber(of.max)}`, formatGoal(of.goal), verdict(of)]
}

function renderScenario({ scenario, ratios, figures, notes }: ScenarioReport): string {
  const columns = ['median', 'min – max', 'goal', 'met']
  const blocks = [`## ${scenario}`]
  if (ratios.length > 0) {
    const rows = ratios.map((ratio) => [ratio.name, ...cells(ratio)])
    blocks.push(renderTable(['ratio', ...columns], rows))
  }
  const rows = figures.map((figure) => [`${figure.name} [${figure.unit}]`, ...cells(figure)])
  blocks.push(renderTable(['figure', ...columns], rows))
  if (notes.length > 0) blocks.push(notes.map((note) => `- ${note}`).join('\n'))
  return blocks.join('\n\n')
}

/** The ratios of all scenarios in one table: what is worth keeping, since absolute figures are of one machine. */
export function renderRatios({ scenarios }: BenchResult): string {
  const rows = scenarios.flatMap(({ scenario, ratios }) =>
    ratios.map((ratio) => [`${scenario}: ${ratio.name}`, ...cells(ratio)]),
  )
  return renderTable(['ratio', 'median', 'min – max', 'goal', 'met'], rows)
}

/** The whole report: a table pair for each scenario, ratios first, then what it was measured on. */
export function renderMarkdown({ date, scenarios, machine, settings }: BenchResult): string {
  const facts = Object.entries(machine).map(([name, value]) => `- ${name}: ${value}`)
  const measuredOn = ['## Measured on', '', ...facts, ...settings.map((setting) => `- ${setting}`)].join('\n')
  const title = `# Benchmarks of ${date.slice(0, 10)}`
  return `${[title, ...scenarios.map(renderScenario), measuredOn].join('\n\n')}\n`
}
