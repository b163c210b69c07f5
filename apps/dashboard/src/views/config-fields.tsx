import type { ReducedConfig } from '@tollgate/shared/contracts'
import { FEATURES, writeNames } from '../figures/reduced-config.ts'

interface ConfigFieldsProps {
  /** Of the fields' names. */
  readonly prefix: string
  readonly config: ReducedConfig
}

/** What a downgrade leaves: models, endpoints and features of what an organization has. */
export const ConfigFields = ({ prefix, config }: ConfigFieldsProps) => (
  <>
    <label>
      Models that stay, with commas (empty: all, -: none)
      <input name={`${prefix}-models`} defaultValue={writeNames(config.enabled_models)} />
    </label>
    <label>
      Endpoints that stay (empty: all, -: none)
      <input name={`${prefix}-endpoints`} defaultValue={writeNames(config.allowed_endpoints)} />
    </label>
    <fieldset class="features">
      <legend>Switched off</legend>
      {Object.entries(FEATURES).map(([feature, name]) => (
        <label key={feature} class="check">
          <input
            type="checkbox"
            name={`${prefix}-off`}
            value={feature}
            defaultChecked={config.features?.[feature as keyof typeof FEATURES] === false}
          />
          {name}
        </label>
      ))}
    </fieldset>
  </>
)
