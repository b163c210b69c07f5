import { relative } from 'node:path'
import { demoOrganizations } from './demo-organizations.ts'
import type { ServicesOnly } from './external.ts'
import { stackPaths } from './paths.ts'
import type { Stack } from './stack.ts'

const row = (name: string, value: string): string => `  ${name.padEnd(16)}${value}`

const withoutPassword = (address: string): string => {
  const url = new URL(address)
  url.password = ''
  return url.toString()
}

const serviceRows = (services: ServicesOnly['services']): string[] =>
  (['token-api', 'usage-worker', 'quota-enforcer'] as const).map((name) => row(name, services[name].url))

const userRows = (stack: Stack): string[] => {
  const { users } = stack.describe()
  const lines = demoOrganizations.flatMap(({ id, name, plan_type, max_tokens }) => [
    `  ${name} (${plan_type}, ${max_tokens.toLocaleString('en')} LLM tokens a month)`,
    ...users
      .filter(({ organization_id }) => organization_id === id)
      .map(({ email, role }) => `    ${email.padEnd(34)}${role}`),
  ])
  const password = users[0]?.password
  return password === undefined ? [] : ['', `Demo users, password ${password}`, ...lines]
}

/** What `start` prints when the local stack is up. */
export const summarizeStack = (stack: Stack, dir: string | undefined, seconds: number): string => {
  const paths = stackPaths(dir)
  const here = (path: string) => relative(process.cwd(), path) || path
  return [
    '',
    `Tollgate is up (${seconds.toFixed(1)} s).`,
    ...serviceRows(stack.services),
    ...(stack.dashboard === null ? [] : [row('dashboard', stack.dashboard.url)]),
    row('Supabase API', stack.supabase.url),
    row('PostgreSQL', withoutPassword(stack.databaseUrl)),
    row('Redis', withoutPassword(stack.redisUrl)),
    row('keys and URLs', here(paths.stackFile)),
    row('logs', `${here(paths.logs)}/`),
    ...userRows(stack),
    '',
    'Next, in another terminal:  npx -y pnpm@12 demo',
    `API, as OpenAPI:            ${stack.services['token-api'].url}/openapi.json`,
    'Ctrl-C stops everything and keeps the data; start --fresh begins again without it.',
    '',
  ].join('\n')
}

/** What `start` prints when only the services run, on servers that are not ours. */
export const summarizeServices = (
  { services, dashboard }: ServicesOnly,
  env: NodeJS.ProcessEnv,
  seconds: number,
): string =>
  [
    '',
    `Tollgate's services are up (${seconds.toFixed(1)} s), on your own servers:`,
    ...serviceRows(services),
    ...(dashboard === null ? [] : [row('dashboard', dashboard.url)]),
    row('Supabase', env.SUPABASE_URL ?? ''),
    row('PostgreSQL', withoutPassword(env.DATABASE_URL ?? '')),
    row('Redis', withoutPassword(env.REDIS_URL ?? '')),
    '',
    'Nothing was migrated or seeded. Migrations are applied with',
    '  npx -y pnpm@12 exec supabase db push --workdir infra --remote "$DATABASE_URL"',
    'Ctrl-C stops the services.',
    '',
  ].join('\n')
