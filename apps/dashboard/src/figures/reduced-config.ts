import type { ReducedConfig } from '@tollgate/shared/contracts'

/** What a downgrade may switch off. */
export const FEATURES = {
  file_upload: 'file upload',
  image_generation: 'image generation',
  voice_chat: 'voice chat',
  code_interpreter: 'code interpreter',
} as const
const FEATURE_NAMES = Object.keys(FEATURES) as (keyof typeof FEATURES)[]

/** Typed instead of names where none is left; nothing typed leaves all. */
const NONE = '-'

/** Names as they stand in a field. */
export const writeNames = (names: readonly string[] | undefined): string =>
  names?.length === 0 ? NONE : (names?.join(', ') ?? '')

function readNames(text: File | string | null): string[] | undefined {
  const typed = String(text ?? '').trim()
  if (typed === '') return undefined
  if (typed === NONE) return []
  const names = typed.split(',').map((name) => name.trim())
  return names.filter((name) => name !== '')
}

/** The config that the fields `{prefix}-models`, `-endpoints` and `-off` say; what they cannot say stays as `before` has it. */
export function readReducedConfig(form: FormData, prefix: string, before: ReducedConfig): ReducedConfig {
  const models = readNames(form.get(`${prefix}-models`))
  const endpoints = readNames(form.get(`${prefix}-endpoints`))
  const off = new Set(form.getAll(`${prefix}-off`))
  const kept = FEATURE_NAMES.filter((name) => off.has(name) || before.features?.[name] === true)
  const features = Object.fromEntries(kept.map((name) => [name, !off.has(name)]))
  return {
    ...(models === undefined ? {} : { enabled_models: models }),
    ...(endpoints === undefined ? {} : { allowed_endpoints: endpoints }),
    ...(kept.length === 0 && before.features === undefined ? {} : { features }),
  }
}

/** A config in words: what it leaves of what an organization has. */
export function describeReduction(config: ReducedConfig | string): string {
  if (typeof config === 'string') return `“${config}”`
  const off = FEATURE_NAMES.filter((name) => config.features?.[name] === false).map((name) => FEATURES[name])
  const parts = [
    ...tellNames(config.enabled_models, 'model'),
    ...tellNames(config.allowed_endpoints, 'endpoint'),
    ...(off.length === 0 ? [] : [`no ${off.join(', no ')}`]),
  ]
  return parts.length === 0 ? 'everything' : parts.join('; ')
}

function tellNames(names: readonly string[] | undefined, what: string): string[] {
  if (names === undefined) return []
  return [names.length === 0 ? `no ${what}` : `of the ${what}s ${names.join(', ')}`]
}
