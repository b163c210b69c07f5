// Renders docs/roles.md from the table of services/token-api/src/access/roles.ts. `--check` changes nothing and fails when
// the page is not what the table says.
import { join } from 'node:path'
import { type Reach, ROLES, type RouteRights } from '../../services/token-api/src/access/roles.ts'
import { writeOrCheck } from '../supabase/generated-file.ts'

const HEADER = `# Who may call what

Generated from \`services/token-api/src/access/roles.ts\`; \`services/token-api/test/roles.int.test.ts\` calls every route as every
caller. **own**: the own user or organization. **all**: every organization. –: refused with 401 or 403, or with 404 where
even the existence is nobody's business.

People sign in at Supabase; \`user\`, \`admin\` and \`super_admin\` is the role of their profile, read anew with each call, so that a
change counts at once. Servers show a key (\`Authorization: Bearer tg_…\`) with the scope of the row; it belongs to an
organization or to the operator. Without any credential only the rows marked **none** answer.

`
const SIGNS = { no: '–', own: 'own', all: '**all**' } as const satisfies Record<Reach, string>
const COLUMNS = ['route', 'credential', 'user', 'admin', 'super_admin', 'scope', "organization's key", "operator's key"]

function renderRow([route, rights]: [string, RouteRights]): string {
  const { credential, user, admin, super_admin, scope, organization_key, operator_key } = rights
  const isOpen = credential === 'none'
  const sign = (reach: Reach): string => (isOpen ? '' : SIGNS[reach])
  return renderCells([
    `\`${route}\``,
    isOpen ? '**none**' : credential,
    sign(user),
    sign(admin),
    sign(super_admin),
    scope ? `\`${scope}\`` : '',
    sign(organization_key),
    sign(operator_key),
    rights.audited ? `\`${rights.audited}\`` : '',
    rights.note ?? '',
  ])
}

const renderCells = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

const head = [...COLUMNS, 'in the audit trail', 'note']
const lines = [renderCells(head), renderCells(head.map(() => '---')), ...Object.entries(ROLES).map(renderRow)]
writeOrCheck(join(import.meta.dirname, '../../docs/roles.md'), `${HEADER}${lines.join('\n')}\n`)
