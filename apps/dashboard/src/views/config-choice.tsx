import { configField, type FormConfig, tellForeign, USUAL } from '../figures/policy-form.ts'

interface ConfigChoiceProps {
  readonly label: string
  readonly name: string
  /** What is chosen at first. */
  readonly first: string
  /** How the choice of none of the form's named configs is called. */
  readonly usual: string
  readonly configs: readonly FormConfig[]
  readonly onChoose?: (value: string) => void
}

/** Which config is left: the usual one, one of the form's own, or what was chosen before and the form does not show. */
export function ConfigChoice({ label, name, first, usual, configs, onChoose }: ConfigChoiceProps) {
  const foreign = tellForeign(first)
  return (
    <label>
      {label}
      <select name={name} onChange={(event) => onChoose?.(event.currentTarget.value)}>
        <option value={USUAL}>{usual}</option>
        {configs.map((config) => (
          <option key={config.id} value={configField(config.id)} selected={configField(config.id) === first}>
            {config.name}
          </option>
        ))}
        {foreign !== undefined && (
          <option value={first} selected>
            {foreign}
          </option>
        )}
      </select>
    </label>
  )
}
