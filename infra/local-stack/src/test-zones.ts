// Runs the tests that know a calendar under several time zones of Node and of PostgreSQL (which takes its own from the
// environment that it is made in): a day that begins earlier or later than in UTC, or at half an hour, must change nothing.
// `pnpm test:zones [zone…]`.
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'

const ZONES = ['UTC', 'Pacific/Kiritimati', 'America/St_Johns']
const FILES = [
  'infra/supabase/test/periods',
  'infra/supabase/test/ledger-stamps',
  'infra/supabase/test/ingest-usage',
  'infra/supabase/test/corrections',
  'infra/supabase/test/retention',
  'infra/supabase/test/reconcile',
  'infra/supabase/test/reports',
  'infra/supabase/test/statements',
  'infra/supabase/test/sessions',
  'services/quota-enforcer/test/year',
  'apps/cli/test/books',
  'apps/cli/test/rerate',
  'packages/shared/src/quota',
]

const root = resolve(import.meta.dirname, '../../..')
const asked = process.argv.slice(2)
const failed: string[] = []
for (const zone of asked.length > 0 ? asked : ZONES) {
  console.log(`TZ=${zone}`)
  const env = { ...process.env, TZ: zone, PGTZ: zone }
  const args = [resolve(root, 'node_modules/vitest/vitest.mjs'), 'run', '--reporter=dot', ...FILES]
  if (spawnSync(process.execPath, args, { cwd: root, env, stdio: 'inherit' }).status !== 0) failed.push(zone)
}
console.log(failed.length === 0 ? 'The same in every zone.' : `Different in ${failed.join(', ')}.`)
process.exitCode = failed.length === 0 ? 0 : 1
