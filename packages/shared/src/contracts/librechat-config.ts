import { z } from 'zod'

const names = z.array(z.string())

const features = z.object({
  file_upload: z.boolean(),
  image_generation: z.boolean(),
  voice_chat: z.boolean(),
  code_interpreter: z.boolean(),
})

/**
 * What an organization's users may do in LibreChat, as it stands in the access token.
 * `max_tokens` counts LLM tokens a month (not a reply); null is unlimited.
 */
export const libreChatConfig = z.object({
  enabled_models: names,
  max_tokens: z.number().int().nonnegative().nullable(),
  knowledge_bases: names,
  mcp_servers: names,
  custom_instructions: z.string(),
  allowed_endpoints: names,
  features,
})
export type LibreChatConfig = z.infer<typeof libreChatConfig>

/** What holds where neither the organization nor its plan says anything. */
export const DEFAULT_LIBRECHAT_CONFIG: LibreChatConfig = {
  enabled_models: [],
  max_tokens: null,
  knowledge_bases: [],
  mcp_servers: [],
  custom_instructions: '',
  allowed_endpoints: [],
  features: { file_upload: false, image_generation: false, voice_chat: false, code_interpreter: false },
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Reads a stored config field by field: what is missing or malformed falls back to `defaults`,
 * so that an old row never breaks a login.
 */
export function readLibreChatConfig(stored: unknown, defaults: LibreChatConfig): LibreChatConfig {
  const row = isRecord(stored) ? stored : {}
  const flags = isRecord(row.features) ? row.features : {}
  const flag = (name: keyof LibreChatConfig['features']): boolean =>
    z.boolean().catch(defaults.features[name]).parse(flags[name])
  const field = libreChatConfig.shape
  return {
    enabled_models: field.enabled_models.catch(defaults.enabled_models).parse(row.enabled_models),
    max_tokens: field.max_tokens.catch(defaults.max_tokens).parse(row.max_tokens),
    knowledge_bases: field.knowledge_bases.catch(defaults.knowledge_bases).parse(row.knowledge_bases),
    mcp_servers: field.mcp_servers.catch(defaults.mcp_servers).parse(row.mcp_servers),
    custom_instructions: field.custom_instructions.catch(defaults.custom_instructions).parse(row.custom_instructions),
    allowed_endpoints: field.allowed_endpoints.catch(defaults.allowed_endpoints).parse(row.allowed_endpoints),
    features: {
      file_upload: flag('file_upload'),
      image_generation: flag('image_generation'),
      voice_chat: flag('voice_chat'),
      code_interpreter: flag('code_interpreter'),
    },
  }
}

/** The fields that a downgrade may narrow; a field that is absent is left as it is. */
export const reducedConfig = z.strictObject({
  enabled_models: names.optional(),
  allowed_endpoints: names.optional(),
  features: features.partial().optional(),
})
export type ReducedConfig = z.infer<typeof reducedConfig>

/** Narrows a config: lists are intersected and features only ever switched off, so a reduction can grant nothing. */
export function reduceConfig(config: LibreChatConfig, reduced: ReducedConfig | null): LibreChatConfig {
  if (!reduced) return config
  const off = reduced.features ?? {}
  return {
    ...config,
    enabled_models: narrow(config.enabled_models, reduced.enabled_models),
    allowed_endpoints: narrow(config.allowed_endpoints, reduced.allowed_endpoints),
    features: {
      file_upload: config.features.file_upload && off.file_upload !== false,
      image_generation: config.features.image_generation && off.image_generation !== false,
      voice_chat: config.features.voice_chat && off.voice_chat !== false,
      code_interpreter: config.features.code_interpreter && off.code_interpreter !== false,
    },
  }
}

const limit = names.optional().catch(undefined)
const allowance = z.boolean().optional().catch(undefined)
const planLimits = z.object({
  enabled_models: limit,
  knowledge_bases: limit,
  mcp_servers: limit,
  allowed_endpoints: limit,
  features: z
    .object({
      file_upload: allowance,
      image_generation: allowance,
      voice_chat: allowance,
      code_interpreter: allowance,
    })
    .catch({}),
})

/**
 * Cuts a config to its plan as stored: lists are intersected and features switched off. What the plan does not state, or
 * states unreadably, limits nothing.
 */
export function limitToPlan(config: LibreChatConfig, plan: unknown): LibreChatConfig {
  const read = planLimits.safeParse(isRecord(plan) ? { features: {}, ...plan } : { features: {} })
  if (!read.success) return config
  const { knowledge_bases, mcp_servers, ...reduction } = read.data
  const cut = reduceConfig(config, reduction)
  return {
    ...cut,
    knowledge_bases: narrow(cut.knowledge_bases, knowledge_bases),
    mcp_servers: narrow(cut.mcp_servers, mcp_servers),
  }
}

function narrow(have: string[], keep: string[] | undefined): string[] {
  return keep ? have.filter((name) => keep.includes(name)) : have
}
