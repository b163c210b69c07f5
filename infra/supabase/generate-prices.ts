// Builds the seed of the price book (tollgate.model_prices, tollgate.model_aliases) from @pydantic/genai-prices.
// That package computes in floats and knows few dates, so only its figures are taken, as decimals; an operator's own
// rows win over these. `--check` as in generated-file.ts.
import { join } from 'node:path'
import { findProvider, type MatchLogic, type ModelInfo, type ModelPrice, type Provider } from '@pydantic/genai-prices'
import { writeOrCheck } from './generated-file.ts'

const PROVIDERS = ['openai', 'anthropic', 'google', 'mistral', 'deepseek', 'x-ai', 'cohere', 'groq', 'aws', 'azure']
const target = join(import.meta.dirname, 'migrations', '20261101000200_model_prices.sql')

type Price = ModelPrice[string]
const text = (value: string): string => `'${value.replaceAll("'", "''")}'`

/** A float from the package as the decimal that its authors wrote: at most six places, no exponent. */
const decimal = (value: number | undefined): string => (value === undefined ? 'null' : String(Number(value.toFixed(6))))

const tierStarts = (price: Price): number[] => (typeof price === 'object' ? price.tiers.map((tier) => tier.start) : [])

/** The price for calls with `input` or more input tokens. */
function priceFrom(price: Price, input: number): number | undefined {
  if (price === undefined || typeof price === 'number') return price
  const reached = price.tiers.filter((tier) => tier.start <= input).sort((a, b) => b.start - a.start)[0]
  return reached?.price ?? price.base
}

interface DatedPrice {
  from: string
  prices: ModelPrice
}

/** Prices by the day from which they hold; prices by the hour of the day are left out (the base price stands). */
function datedPrices(model: ModelInfo): DatedPrice[] {
  if (!Array.isArray(model.prices)) return [{ from: '-infinity', prices: model.prices }]
  return model.prices.flatMap(({ constraint, prices }): DatedPrice[] => {
    if (!constraint) return [{ from: '-infinity', prices }]
    return constraint.type === 'start_date' ? [{ from: `${constraint.start_date}T00:00:00Z`, prices }] : []
  })
}

function priceRows(provider: Provider, model: ModelInfo): string[] {
  const dated = datedPrices(model).sort((a, b) => (a.from < b.from ? -1 : 1))
  return dated.flatMap(({ from, prices }, index) => {
    if (prices.input_mtok === undefined || prices.output_mtok === undefined) return []
    const columns = [prices.input_mtok, prices.output_mtok, prices.cache_read_mtok, prices.cache_write_mtok]
    const starts = [...new Set([0, ...columns.flatMap(tierStarts)])].sort((a, b) => a - b)
    const to = dated[index + 1]?.from ?? 'infinity'
    return starts.map((start) => {
      const amounts = columns.map((price) => decimal(priceFrom(price, start)))
      // A tier of the source begins above its mark, ours at it.
      const minimum = start === 0 ? 0 : start + 1
      return `  (${[text(provider.id), text(model.id), "'genai-prices'", text(from), text(to), minimum, ...amounts].join(', ')})`
    })
  })
}

interface Alias {
  name: string
  isPrefix: boolean
}

/** The names and beginnings by which the source knows a model; patterns that SQL cannot look up are left out. */
function aliasesOf(match: MatchLogic): Alias[] {
  if ('or' in match) return match.or.flatMap(aliasesOf)
  if ('equals' in match) return [{ name: match.equals, isPrefix: false }]
  if ('starts_with' in match) return [{ name: match.starts_with, isPrefix: true }]
  return []
}

function aliasRows(provider: Provider): string[] {
  const rows = new Map<string, string>()
  for (const model of provider.models) {
    for (const { name, isPrefix } of aliasesOf(model.match)) {
      const key = `${name} ${isPrefix}`
      if (name !== model.id && !rows.has(key)) {
        rows.set(key, `  (${text(provider.id)}, ${text(name)}, ${isPrefix}, ${text(model.id)})`)
      }
    }
  }
  return [...rows.values()]
}

const providers = PROVIDERS.map((providerId) => {
  const provider = findProvider({ providerId })
  if (!provider) throw new Error(`@pydantic/genai-prices knows no provider ${providerId}`)
  return provider
})
const prices = providers.flatMap((provider) => provider.models.flatMap((model) => priceRows(provider, model)))
const aliases = providers.flatMap(aliasRows)

writeOrCheck(
  target,
  `-- Generated from @pydantic/genai-prices (MIT) by generate-prices.ts. US dollars per million LLM tokens.
insert into tollgate.model_prices (provider, model, origin, valid_from, valid_to, min_input_tokens, input_usd_per_mtok,
  output_usd_per_mtok, cache_read_usd_per_mtok, cache_creation_usd_per_mtok) values
${prices.join(',\n')}
on conflict do nothing;

insert into tollgate.model_aliases (provider, alias, is_prefix, model) values
${aliases.join(',\n')}
on conflict do nothing;
`,
)
