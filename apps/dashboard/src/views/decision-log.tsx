import { useState } from 'preact/hooks'
import type { DecisionRow } from '../data/reports.ts'
import { tellInputs } from '../figures/decision-inputs.ts'
import { formatTime, tellActor } from '../figures/format.ts'
import { tellReason } from '../figures/outlook.ts'
import { StateBadge } from './states.tsx'

const HEADINGS = ['When', 'Whom', 'From', 'To', 'Reason', 'By', 'Decision'] as const

interface DecisionLogProps {
  readonly rows: readonly DecisionRow[]
  readonly timeZone: string
}

/** Every decision in a row of its own, which opens to what it was decided from. */
export function DecisionLog({ rows, timeZone }: DecisionLogProps) {
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set())
  const toggle = (id: string): void => {
    const next = new Set(open)
    if (!next.delete(id)) next.add(id)
    setOpen(next)
  }
  return (
    <div class="scroll tall">
      <table data-table="decisions">
        <thead>
          <tr>
            {HEADINGS.map((heading) => (
              <th key={heading} scope="col">
                {heading}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Decision key={row.id} {...{ row, timeZone }} isOpen={open.has(row.id)} onToggle={() => toggle(row.id)} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

interface DecisionProps {
  readonly row: DecisionRow
  readonly timeZone: string
  readonly isOpen: boolean
  readonly onToggle: () => void
}

function Decision({ row, timeZone, isOpen, onToggle }: DecisionProps) {
  const details = `decision-${row.id}`
  return (
    <>
      <tr>
        <th scope="row">
          {formatTime(row.decided_at, timeZone)}
          {row.effective_at !== null && <small class="quiet"> since {formatTime(row.effective_at, timeZone)}</small>}
        </th>
        <td>{tellWhom(row)}</td>
        <td>{row.from_state}</td>
        <td>
          <StateBadge state={row.to_state} />
          {row.withheld !== null && <small class="quiet"> {row.withheld.state} withheld</small>}
        </td>
        <td class="long">{tellReason(row.reason)}</td>
        <td title={row.actor}>{tellActor(row.actor, row.actor_name)}</td>
        <td>
          <button
            type="button"
            class="link"
            aria-expanded={isOpen}
            aria-controls={isOpen ? details : undefined}
            aria-label={`What decision ${row.id.slice(0, 8)} was decided from`}
            onClick={onToggle}
          >
            <span aria-hidden="true">{isOpen ? '▾' : '▸'}</span> <code>{row.id.slice(0, 8)}</code>
          </button>
        </td>
      </tr>
      {isOpen && (
        <tr id={details}>
          <td colSpan={HEADINGS.length}>
            <dl class="inputs">
              {tellInputs(row, timeZone).map(([name, text]) => (
                <div key={name}>
                  <dt>{name}</dt>
                  <dd>{text}</dd>
                </div>
              ))}
            </dl>
          </td>
        </tr>
      )}
    </>
  )
}

const tellWhom = ({ user_id, user_name }: DecisionRow): string =>
  user_id === null ? 'the organization' : (user_name ?? `Former user ${user_id.slice(0, 8)}`)
