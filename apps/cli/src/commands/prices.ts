import { type Command, InvalidArgumentError } from 'commander'
import type { CommandIo } from '../command-io.ts'
import { formatTable } from '../demo/format.ts'
import type { OperatorFlags } from '../operator/open-operator.ts'
import { readDate } from '../operator/read-option.ts'
import { addOperatorOptions, type CommandResult, runOperator } from '../operator/run-operator.ts'

interface PriceFlags extends OperatorFlags {
  readonly provider: string
  readonly input: string
  readonly output: string
  readonly cacheRead?: string
  readonly cacheCreation?: string
  readonly reasoning?: string
  readonly from?: string
  readonly to?: string
  readonly minInputTokens?: string
}

function readUsd(text: string): string {
  if (!/^\d{1,9}(\.\d{1,6})?$/.test(text)) {
    throw new InvalidArgumentError('US dollars per million LLM tokens, with at most six decimals, are needed.')
  }
  return text
}

function readCount(text: string): string {
  if (!/^\d{1,12}$/.test(text)) throw new InvalidArgumentError('a whole number is needed.')
  return text
}

const midnight = (date: string | undefined): string | undefined =>
  date === undefined ? undefined : `${date}T00:00:00Z`

async function setPrice(model: string, flags: PriceFlags, io: CommandIo): Promise<void> {
  await runOperator(flags, io, async ({ rpc }): Promise<CommandResult> => {
    const price = {
      provider: flags.provider,
      model,
      valid_from: midnight(flags.from),
      valid_to: midnight(flags.to),
      min_input_tokens: flags.minInputTokens,
      input: flags.input,
      output: flags.output,
      cache_read: flags.cacheRead,
      cache_creation: flags.cacheCreation,
      reasoning: flags.reasoning,
    }
    const [set] = await rpc('set_price', { price })
    const since = flags.from ?? 'the first day of usage'
    const text = `Set. New usage is priced by it at once; for usage that is there: tollgate rerate --model ${model} --from ${since} …`
    return { document: { id: set?.id ?? null, ...price }, text }
  })
}

async function listPrices(search: string | undefined, flags: OperatorFlags, io: CommandIo): Promise<void> {
  await runOperator(flags, io, async ({ rpc }): Promise<CommandResult> => {
    const prices = await rpc('list_prices', { search })
    const head = ['Provider', 'Model', 'Origin', 'From', 'To', 'Input ≥', 'Input', 'Output', 'Cache read', 'Reasoning']
    const rows = prices.map((row) => [
      row.provider,
      row.model,
      row.origin,
      row.valid_from.slice(0, 10),
      row.valid_to.slice(0, 10),
      row.min_input_tokens,
      row.input,
      row.output,
      row.cache_read ?? 'as input',
      row.reasoning ?? 'as output',
    ])
    const none = search === undefined ? 'No prices of your own.' : `No price of a model with ${JSON.stringify(search)}.`
    const text = prices.length === 0 ? none : formatTable([head, ...rows], new Set([5, 6, 7, 8, 9])).join('\n')
    return { document: prices, text }
  })
}

/** Adds `tollgate prices set|list`: the operator's own prices, which win over the seeded ones. */
export function addPricesCommand(program: Command, io: CommandIo): void {
  const group = program.command('prices').description('the price book; US dollars per million LLM tokens')
  addOperatorOptions(group.command('set <model>'))
    .description('set a price of your own')
    .requiredOption('--provider <name>', 'as the price book names it, such as openai')
    .requiredOption('--input <usd>', 'input', readUsd)
    .requiredOption('--output <usd>', 'output', readUsd)
    .option('--cache-read <usd>', 'cached input (default: as input)', readUsd)
    .option('--cache-creation <usd>', 'input written to the cache (default: as input)', readUsd)
    .option('--reasoning <usd>', 'reasoning output (default: as output)', readUsd)
    .option('--from <date>', 'in force from this day on, UTC (default: always)', readDate)
    .option('--to <date>', 'until this day, UTC, itself excluded (default: for ever)', readDate)
    .option('--min-input-tokens <count>', 'only for calls with at least so much input', readCount)
    .action((model: string, flags: PriceFlags) => setPrice(model, flags, io))
  addOperatorOptions(group.command('list [search]'))
    .description('show prices of models whose name holds this text (default: your own prices)')
    .action((search: string | undefined, flags: OperatorFlags) => listPrices(search, flags, io))
}
