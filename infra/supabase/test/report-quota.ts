import { DEFAULT_QUOTA_POLICY } from '@tollgate/shared/contracts'
import { describe, expect, it } from 'vitest'
import { A, type Person, type ReportsFixture, type Row } from './reports-fixture.ts'

/** Reports of limits, grants and decisions, as the dashboard asks them. */
export function describeQuotaReports(open: () => ReportsFixture): void {
  describe('report_quota', () => {
    it('shows members the position of their organization, and the steps of its ladder', async () => {
      const { sql, report } = open()
      await sql.query(
        `insert into tollgate.quota_policies (organization_id, max_tokens, updated_by) values ($1, 1000000, 'test')`,
        [A],
      )
      const [row] = await report('user', 'report_quota', { organization_id: A })
      const { rows } = await sql.query('select * from public.load_quota_position($1)', [A])
      expect(row).toMatchObject({
        name: 'A',
        used_tokens: rows[0].used_tokens,
        limit_tokens: '1000000',
        state: 'active',
      })
      const expected = DEFAULT_QUOTA_POLICY.steps.map(({ at_percent, state }) => ({
        ...{ at_tokens: String(at_percent * 10_000), at_usd: null, mode: 'hard', grace_seconds: 0 },
        state,
      }))
      expect(row?.steps).toEqual(expected)
    })

    it('shows how the policy is configured to whoever sees the whole organization', async () => {
      const { sql, report } = open()
      const policy = { steps: [{ at_usd: '5', state: 'warned' }], downgrade_to: {} }
      await sql.query('update tollgate.quota_policies set policy = $2 where organization_id = $1', [A, policy])
      const seenBy = async (person: Person) => (await report(person, 'report_quota', { organization_id: A }))[0]?.policy
      expect(await seenBy('admin')).toEqual(policy)
      expect(await seenBy('superAdmin')).toEqual(policy)
      expect(await seenBy('user')).toBeNull()
    })

    it('tells each step as the enforcer looks at it: of both limits, above what was granted, none of a limit that is null', async () => {
      const { sql } = open()
      const steps = [
        { at_usd: '5.5', state: 'warned' },
        { at_tokens: 100, state: 'downgraded', mode: 'soft' },
        { at_percent: 33, state: 'revoked', grace_seconds: 60 },
      ]
      const told = async (cap: object, limit: number | null) => {
        const policy = { steps, downgrade_to: {}, ...cap }
        const { rows } = await sql.query('select tollgate.report_steps($1, $2, 7) as steps', [policy, limit])
        return (rows[0].steps as Row[]).map((row) => [
          row.at_tokens,
          row.at_usd,
          row.state,
          row.mode,
          row.grace_seconds,
        ])
      }
      const tokens = [
        ['107', null, 'downgraded', 'soft', 0],
        ['331', null, 'revoked', 'hard', 60],
      ]
      const dollars = [null, '5.5', 'warned', 'hard', 0]
      expect(await told({}, 1_001)).toEqual([...tokens, dollars])
      expect(await told({ max_cost_usd: null }, 1_001)).toEqual(tokens)
      expect(await told({ max_cost_usd: '10' }, null)).toEqual([[null, '3.3', 'revoked', 'hard', 60], dollars])
      const smallest = [null, '0.000000000001', 'revoked', 'hard', 60]
      expect(await told({ max_cost_usd: '0.000000000001' }, 1_001)).toEqual([...tokens, smallest, dollars])
    })

    it('and every other report say so when what was taken away has lapsed with its period, before anybody decides anew', async () => {
      const { sql, ids, report } = open()
      const stand = async (lapses: boolean, end: string) => {
        const columns = `state, reason, decision_id, period_start, period_end, inputs_key, lapses`
        const values = `'revoked', 'max_tokens_120_percent', gen_random_uuid(), now() - interval '31 days', now() + $2::interval, 'x', $3`
        const keep = 'update set period_end = excluded.period_end, lapses = excluded.lapses'
        await sql.query(
          `insert into tollgate.enforcement_states (organization_id, ${columns}) values ($1, ${values})
           on conflict (organization_id) do ${keep}`,
          [A, end, lapses],
        )
        await sql.query(
          `insert into tollgate.user_enforcement_states (organization_id, user_id, ${columns}) values ($1, $4, ${values})
           on conflict (organization_id, user_id) do ${keep}`,
          [A, end, lapses, ids.user],
        )
        const [quota] = await report('admin', 'report_quota', { organization_id: A })
        const [own] = await report('user', 'report_user_limits', { organization_id: A })
        const [one] = await report('superAdmin', 'report_organizations', { search: 'a' })
        const { rows } = await sql.query('select * from public.load_user_quota($1, $2)', [A, ids.user])
        return [quota, own, rows[0]].flatMap((row) => [row?.state, row?.reason]).concat(one?.state)
      }
      const reason = 'max_tokens_120_percent'
      const revoked = ['revoked', reason, 'revoked', reason, 'revoked', reason, 'revoked']
      const over = ['active', null, 'active', null, 'active', null, 'active']
      expect(await stand(true, '1 minute')).toEqual(revoked)
      expect(await stand(true, '0')).toEqual(over)
      expect(await stand(false, '0')).toEqual(revoked)
      for (const table of ['enforcement_states', 'user_enforcement_states'])
        await sql.query(`delete from tollgate.${table}`)
    })

    it('shows another organization only to super_admin', async () => {
      const { report } = open()
      expect(await report('stranger', 'report_quota', { organization_id: A })).toEqual([])
      expect(await report('superAdmin', 'report_quota', { organization_id: A })).toHaveLength(1)
    })
  })

  describe('report_user_limits', () => {
    it('tells the admin and super_admin what each used in the period with the own limit, and a user the own', async () => {
      const { sql, ids, report, ledgerTokens } = open()
      await sql.query(
        `insert into tollgate.user_quotas (organization_id, user_id, max_tokens, updated_by) values ($1, $2, 5000, 'test')`,
        [A, ids.user],
      )
      const limits = async () => {
        const rows = await report('admin', 'report_user_limits', { organization_id: A })
        return Object.fromEntries(rows.map((row) => [row.user_name, [row.limit_tokens, row.limit_from]]))
      }
      expect(await limits()).toEqual({ 'admin@example.com': [null, null], 'The user': ['5000', 'user'] })
      const defaultSeenBy = async (person: Person) =>
        (await report(person, 'report_quota', { organization_id: A }))[0]?.user_default
      expect(await defaultSeenBy('admin')).toEqual({ limit_tokens: null, policy: null, version: '0' })
      const change = { organization_id: A, limit: 7_000, actor: 'test' }
      await sql.query('select from public.set_user_default($1)', [change])
      expect(await limits()).toEqual({ 'admin@example.com': ['7000', 'default'], 'The user': ['5000', 'user'] })
      expect(await defaultSeenBy('admin')).toEqual({ limit_tokens: '7000', policy: null, version: '1' })
      expect(await defaultSeenBy('user')).toBeNull()
      const rows = await report('admin', 'report_user_limits', { organization_id: A })
      const used = (id: string) =>
        ledgerTokens(`user_id = '${id}' and usage_date >= date_trunc('month', now() at time zone 'UTC')::date`)
      for (const row of rows) expect(row.used_tokens).toBe(String(await used(row.user_id ?? '')))
      const [first] = await report('superAdmin', 'report_user_limits', { organization_id: A, limit: 1 })
      const [second] = await report('superAdmin', 'report_user_limits', { organization_id: A, after: first?.cursor })
      expect([first?.user_id, second?.user_id].toSorted()).toEqual([ids.admin, ids.user].toSorted())
      const own = await report('user', 'report_user_limits', { organization_id: A })
      expect(own).toEqual(rows.filter(({ user_id }) => user_id === ids.user))
      // A ladder of the user's own, and that of the default, are for whoever sees all alone.
      const ladder = (percent: number) => ({ steps: [{ at_percent: percent, state: 'revoked' }], downgrade_to: {} })
      await sql.query('update tollgate.user_quotas set policy = $2 where user_id = $1', [ids.user, ladder(70)])
      await sql.query('select from public.set_user_default($1)', [{ ...change, policy: ladder(90) }])
      const seen = await report('admin', 'report_user_limits', { organization_id: A })
      const ladders = Object.fromEntries(seen.map(({ user_name, policy }) => [user_name, policy]))
      expect(ladders).toEqual({ 'admin@example.com': ladder(90), 'The user': ladder(70) })
      expect((await report('user', 'report_user_limits', { organization_id: A }))[0]?.policy).toBeNull()
      await sql.query('update tollgate.user_quotas set policy = null where user_id = $1', [ids.user])
      await sql.query('select from public.set_user_default($1)', [{ ...change, policy: null }])
      expect(await report('stranger', 'report_user_limits', { organization_id: A })).toEqual([])
    })
  })

  describe('report_decisions', () => {
    it('is for the admin of the organization and super_admin, newest first, in pages, with what each was decided from', async () => {
      const { sql, ids, report } = open()
      await sql.query(
        `insert into tollgate.quota_decisions (organization_id, user_id, from_state, to_state, version, reason, actor, inputs, effective_at)
         select $1, case n when 3 then $2::uuid end, 'active', 'warned', 0, 'step ' || n, 'user:' || $2::text,
           '{"used_tokens": "7"}', case n when 2 then timestamptz '2026-11-01T00:00:00Z' end from generate_series(1, 3) n`,
        [A, ids.user],
      )
      const [first] = await report('admin', 'report_decisions', { organization_id: A, limit: 1 })
      expect(first).toMatchObject({
        ...{ reason: 'step 3', to_state: 'warned', inputs: { used_tokens: '7' }, observed: false, withheld: null },
        ...{ user_id: ids.user, user_name: 'The user', actor: `user:${ids.user}`, actor_name: 'The user' },
        effective_at: null,
      })
      const rest = await report('superAdmin', 'report_decisions', { organization_id: A, after: first?.cursor })
      expect(rest.map((row) => row.reason)).toEqual(['step 2', 'step 1'])
      expect(Date.parse(rest[0]?.effective_at ?? '')).toBe(Date.UTC(2026, 10, 1))
      for (const person of ['user', 'stranger'] as const) {
        expect(await report(person, 'report_decisions', { organization_id: A })).toEqual([])
      }
    })
  })

  describe('report_grants', () => {
    it('shows each grant with what it gave and has left, to whoever sees the whole organization', async () => {
      const { sql, ids, report } = open()
      await sql.query('update tollgate.quota_policies set max_tokens = 1, policy = null where organization_id = $1', [
        A,
      ])
      const used = BigInt((await report('admin', 'report_quota', { organization_id: A }))[0]?.used_tokens ?? 0)
      const give = (reason: string, amount: number, part: object) => {
        const grant = { amount, reason, idempotency_key: reason, actor: `user:${ids.admin}`, ...part }
        return sql.query('select from public.create_grant($1)', [{ organization_id: A, ...grant }])
      }
      const shown = async () => {
        const rows = await report('admin', 'report_grants', { organization_id: A })
        return Object.fromEntries(rows.map((row) => [row.reason, [row.state, row.left_tokens, row.spent_tokens]]))
      }
      // The usage of the fixture is older than their end.
      const past = (ago: number) => ({ at: new Date(Date.now() - ago), expires_at: new Date(Date.now() - ago + 1_000) })
      await give('brief', 5, past(4_000))
      await give('first', 10, { priority: 1 })
      await give('second', 4_000_000, { priority: 2 })
      // Soonest expiry first: the brief one, then the limit of 1, then by priority.
      const brief = ['spent', '0', '5']
      expect(await shown()).toEqual({
        ...{ brief, first: ['spent', '0', '10'] },
        second: ['open', String(4_000_016n - used), String(used - 16n)],
      })
      await sql.query('select from public.settle_grants($1)', [A])
      await give('lapsed', 5_000_000, past(2_000))
      const expected = {
        ...{ brief, first: ['open', '10', '0'], second: ['open', '4000000', '0'] },
        lapsed: ['expired', '0', String(used - 5n)],
      }
      expect(await shown()).toEqual(expected)
      await sql.query('select from public.settle_grants($1)', [A])
      expect(await shown()).toEqual(expected)
      // What is left is taken back, and what it gave stays: the next one steps in for what is still to be covered.
      const first = `select public.void_grant(jsonb_build_object('organization_id', $1::text, 'grant_id', id, 'reason', 'typo',
        'actor', $2::text)) from tollgate.grants where reason = 'first'`
      await sql.query(first, [A, `user:${ids.admin}`])
      expect(await shown()).toEqual({ ...expected, first: ['voided', '0', '0'] })
      const voided = (await report('admin', 'report_grants', { organization_id: A })).find(
        ({ state }) => state === 'voided',
      )
      expect(voided).toMatchObject({
        void_reason: 'typo',
        voided_by: `user:${ids.admin}`,
        voided_by_name: 'admin@example.com',
      })

      const [top] = await report('superAdmin', 'report_grants', { organization_id: A, limit: 1 })
      expect(top).toMatchObject({
        ...{ reason: 'second', actor: `user:${ids.admin}`, actor_name: 'admin@example.com' },
        ...{ void_reason: null, voided_by: null, voided_by_name: null },
      })
      const rest = await report('superAdmin', 'report_grants', { organization_id: A, after: top?.cursor })
      expect(rest.map((row) => row.reason)).toEqual(['first', 'lapsed', 'brief'])
      for (const person of ['user', 'stranger'] as const) {
        expect(await report(person, 'report_grants', { organization_id: A })).toEqual([])
      }
    })
  })
}
