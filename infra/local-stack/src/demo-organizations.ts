/** One demo organization with its plan and LibreChat configuration. */
export type DemoOrganization = {
  id: string
  name: string
  domain: string
  plan_type: string
  max_tokens: number
  librechat_config: object
}

const config = (maxTokens: number, models: readonly string[], knowledgeBases: readonly string[], wide: boolean) => ({
  enabled_models: models,
  max_tokens: maxTokens,
  knowledge_bases: knowledgeBases,
  mcp_servers: wide ? ['github', 'linear'] : [],
  custom_instructions: '',
  allowed_endpoints: wide ? ['openAI', 'anthropic', 'google'] : ['openAI', 'anthropic'],
  features: { file_upload: true, image_generation: wide, voice_chat: wide, code_interpreter: wide },
})

/**
 * Three organizations whose monthly limits make the demo's trace end differently for each: Acme stays active, Borealis is warned
 * and downgraded, Cobalt is revoked.
 */
export const demoOrganizations: readonly DemoOrganization[] = [
  {
    id: 'ac3e0000-0000-4000-8000-000000000001',
    name: 'Acme Research',
    domain: 'acme-research',
    plan_type: 'enterprise',
    max_tokens: 50_000_000,
    librechat_config: config(50_000_000, ['gpt-4o', 'gpt-4o-mini', 'claude-sonnet-4-5'], ['papers', 'lab-notes'], true),
  },
  {
    id: 'b0ea0000-0000-4000-8000-000000000002',
    name: 'Borealis Labs',
    domain: 'borealis-labs',
    plan_type: 'professional',
    max_tokens: 8_000_000,
    librechat_config: config(8_000_000, ['gpt-4o', 'gpt-4o-mini'], ['company-docs', 'sales-data'], true),
  },
  {
    id: 'c0ba0000-0000-4000-8000-000000000003',
    name: 'Cobalt Support',
    domain: 'cobalt-support',
    plan_type: 'starter',
    max_tokens: 4_000_000,
    librechat_config: config(4_000_000, ['gpt-4o-mini'], ['help-center'], false),
  },
]

/** One demo user before the Auth API has given it an id. */
export type DemoUser = {
  email: string
  full_name: string
  role: 'user' | 'admin' | 'super_admin'
  organization_id: string
}

const people = [
  { organization: 0, name: 'Ada Meyer', role: 'user' },
  { organization: 0, name: 'Bruno Keller', role: 'admin' },
  { organization: 0, name: 'Petra Ostrom', role: 'super_admin' },
  { organization: 1, name: 'Chiara Rossi', role: 'user' },
  { organization: 1, name: 'Dmitri Volkov', role: 'admin' },
  { organization: 2, name: 'Emre Yilmaz', role: 'user' },
  { organization: 2, name: 'Fiona Walsh', role: 'admin' },
] as const

/** The demo users: a user and an admin in each organization, and a super_admin. */
export const demoUsers: readonly DemoUser[] = people.flatMap(({ organization, name, role }) => {
  const home = demoOrganizations[organization]
  if (home === undefined) return []
  const local = name.split(' ')[0]?.toLowerCase() ?? role
  return [{ email: `${local}@${home.domain}.example`, full_name: name, role, organization_id: home.id }]
})
