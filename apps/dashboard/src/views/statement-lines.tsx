import type { StatementFigures, StatementRow } from '../data/reports.ts'
import { formatCount, formatDate, formatExactMoney } from '../figures/format.ts'
import { dayIn } from '../filters/span.ts'
import { Unpriced } from './states.tsx'

const FIGURES = ['Calls', 'Input', 'Output', 'LLM tokens', 'Cost', 'Charge'] as const

/** Lines by model, what was posted here from earlier periods, their total, and the same usage by user. */
export function StatementLines({ row }: { readonly row: StatementRow }) {
  const { models, users, earlier, total, time_zone } = row
  const count = (column: 'input_tokens' | 'output_tokens'): bigint =>
    [...models, ...earlier].reduce((sum, line) => sum + BigInt(line[column]), 0n)
  return (
    <>
      <section class="scroll">
        <table data-lines="models">
          <LineHead name="Model" />
          <tbody>
            {models.map((line) => (
              <LineRow key={line.model} name={line.model} line={line} />
            ))}
            {models.length === 0 && <NoLines />}
          </tbody>
          {earlier.length > 0 && (
            <tbody data-lines="earlier">
              <tr>
                <th class="group" scope="rowgroup" colSpan={FIGURES.length + 1}>
                  Posted here from closed periods
                </th>
              </tr>
              {earlier.map((line) => (
                <LineRow
                  key={`${line.period_start} ${line.model}`}
                  name={`${line.model}, period from ${formatDate(dayIn(line.period_start, time_zone))}`}
                  line={line}
                />
              ))}
            </tbody>
          )}
          <tfoot>
            <tr>
              <th scope="row">Total of the period</th>
              <td class="number">{formatCount(total.event_count)}</td>
              <td class="number">{formatCount(count('input_tokens'))}</td>
              <td class="number">{formatCount(count('output_tokens'))}</td>
              <td class="number" data-statement="tokens">
                {formatCount(total.tokens_used)}
              </td>
              <MoneyCell usd={total.cost_usd} unpriced={total.unpriced_events} name="cost" />
              <MoneyCell usd={total.charge_usd} unpriced={total.unpriced_events} name="charge" />
            </tr>
          </tfoot>
        </table>
      </section>
      <h2>{earlier.length > 0 ? 'The period’s own usage by user' : 'By user'}</h2>
      <section class="scroll">
        <table data-lines="users">
          <LineHead name="User" />
          <tbody>
            {users.map((line) => (
              <LineRow
                key={line.user_id}
                name={line.user_name ?? `Former user ${line.user_id.slice(0, 8)}`}
                line={line}
              />
            ))}
            {users.length === 0 && <NoLines />}
          </tbody>
        </table>
      </section>
    </>
  )
}

const LineHead = ({ name }: { readonly name: string }) => (
  <thead>
    <tr>
      <th scope="col">{name}</th>
      {FIGURES.map((figure) => (
        <th key={figure} scope="col" class="number">
          {figure}
        </th>
      ))}
    </tr>
  </thead>
)

const LineRow = ({ name, line }: { readonly name: string; readonly line: StatementFigures }) => (
  <tr>
    <th scope="row">{name}</th>
    <td class="number">{formatCount(line.event_count)}</td>
    <td class="number">{formatCount(line.input_tokens)}</td>
    <td class="number">{formatCount(line.output_tokens)}</td>
    <td class="number">{formatCount(line.tokens_used)}</td>
    <MoneyCell usd={line.cost_usd} unpriced={line.unpriced_events} />
    <MoneyCell usd={line.charge_usd} unpriced={line.unpriced_events} />
  </tr>
)

const MoneyCell = ({ usd, unpriced, name }: { usd: string | null; unpriced: string; name?: string }) => (
  <td class="number">
    <span data-statement={name}>{formatExactMoney(usd)}</span>
    <Unpriced usd={usd} count={unpriced} />
  </td>
)

const NoLines = () => (
  <tr>
    <td class="empty" colSpan={FIGURES.length + 1}>
      Nothing was used in this period.
    </td>
  </tr>
)
