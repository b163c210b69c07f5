import type pg from 'pg'

/*
 * On its first request that meets row level security, @supabase/lite grants ALL on every table of every schema that has a
 * policy to anon, authenticated and service_role (and makes that the default). A hosted project never does. Left alone it would
 * undo each REVOKE of our migrations, and tests of what a role may do would test something else than production.
 */

type Privilege = { kind: 'schema' | 'relation'; name: string; grantee: string; privilege: string }

const readPrivileges = async (client: pg.Client): Promise<Privilege[]> => {
  const { rows } = await client.query<Privilege>(`
    select 'schema' as kind, quote_ident(n.nspname) as name, r.rolname as grantee, a.privilege_type as privilege
      from pg_namespace n, aclexplode(n.nspacl) a join pg_roles r on r.oid = a.grantee
     where r.rolname in ('anon', 'authenticated', 'service_role')
    union all
    select 'relation', quote_ident(n.nspname) || '.' || quote_ident(c.relname), r.rolname, a.privilege_type
      from pg_class c join pg_namespace n on n.oid = c.relnamespace, aclexplode(c.relacl) a join pg_roles r on r.oid = a.grantee
     where r.rolname in ('anon', 'authenticated', 'service_role')`)
  return rows
}

const readDefaults = async (client: pg.Client): Promise<string[]> => {
  const { rows } = await client.query<{ schema: string }>(`
    select distinct quote_ident(n.nspname) as schema from pg_default_acl d join pg_namespace n on n.oid = d.defaclnamespace`)
  return rows.map(({ schema }) => schema)
}

/** Grants on single columns, as statements: a REVOKE on the table takes them away as well. */
const readColumnGrants = async (client: pg.Client): Promise<string[]> => {
  const { rows } = await client.query<{ statement: string }>(`
    select format('grant %s (%I) on %I.%I to %I', a.privilege_type, t.attname, n.nspname, c.relname, r.rolname) as statement
      from pg_attribute t join pg_class c on c.oid = t.attrelid join pg_namespace n on n.oid = c.relnamespace,
           aclexplode(t.attacl) a join pg_roles r on r.oid = a.grantee
     where r.rolname in ('anon', 'authenticated', 'service_role')`)
  return rows.map(({ statement }) => statement)
}

const keyOf = ({ kind, name, grantee, privilege }: Privilege): string => [kind, name, grantee, privilege].join('|')

const revokeStatement = ({ kind, name, grantee, privilege }: Privilege): string =>
  `revoke ${privilege} on ${kind === 'schema' ? `schema ${name}` : name} from ${grantee}`

/** Runs `work` and takes back every privilege that the Supabase roles were given meanwhile on schemas, tables and sequences. */
export const keepingGrants = async (client: pg.Client, work: () => Promise<void>): Promise<void> => {
  const before = new Set((await readPrivileges(client)).map(keyOf))
  const columnsBefore = await readColumnGrants(client)
  const defaultsBefore = new Set(await readDefaults(client))
  await work()
  const extra = (await readPrivileges(client)).filter((privilege) => !before.has(keyOf(privilege)))
  const defaults = (await readDefaults(client)).filter((schema) => !defaultsBefore.has(schema))
  const statements = [
    ...extra.map(revokeStatement),
    ...columnsBefore,
    ...defaults.flatMap((schema) =>
      ['tables', 'sequences'].map(
        (what) =>
          `alter default privileges in schema ${schema} revoke all on ${what} from anon, authenticated, service_role`,
      ),
    ),
  ]
  if (statements.length > 0) await client.query(statements.join(';\n'))
}

/** A table with row level security that the API shows, for a first request; null when there is none. */
export const findProtectedTable = async (client: pg.Client, schemas: readonly string[]): Promise<string | null> => {
  const { rows } = await client.query<{ name: string }>(
    `select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relrowsecurity and c.relkind in ('r', 'p') and n.nspname = any($1) order by c.relname limit 1`,
    [schemas],
  )
  return rows[0]?.name ?? null
}
