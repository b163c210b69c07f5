import type { Mutation } from '../mutation.ts'

const SQL = 'infra/supabase/schemas/40-functions'

/** Faults by which usage would be lost, counted twice, or counted wrongly. */
export const COUNTING: readonly Mutation[] = [
  {
    name: 'acknowledge-before-commit',
    fault: 'a job is acknowledged before its transaction has committed',
    edits: [
      {
        file: 'services/usage-worker/src/consume.ts',
        find: 'packOutcomes(await (isUrgent ? urgent : batches).submit({ job, shard })),',
        replace: '(void batches.submit({ job, shard }).catch(() => undefined), packOutcomes([])),',
      },
    ],
    test: {
      file: 'services/usage-worker/test/consume.int.test.ts',
      title: 'acknowledges nothing while Postgres is away, and counts once when it is back',
    },
  },
  {
    name: 'pop-before-commit',
    fault: 'an inbox row is removed though its events were not recorded',
    edits: [
      {
        file: `${SQL}/drain_inbox.sql`,
        find: '        raise;\n',
        replace:
          '        delete from tollgate.event_inbox where id = any(ids);\n        return next;\n        return;\n',
      },
    ],
    test: {
      file: 'services/usage-worker/test/drain-inbox.int.test.ts',
      title: 'leaves in the inbox what fails for another reason than its content',
    },
  },
  {
    name: 'drop-the-dedupe',
    fault: 'an event counts though its identity was claimed before',
    edits: [
      {
        file: `${SQL}/claim_identities.sql`,
        find: '  from first f join inserted i on',
        replace: '  from first f left join inserted i on',
      },
    ],
    test: {
      file: 'infra/supabase/test/ingest-usage.int.test.ts',
      title: 'counts an identity once, also with another time beyond a month border, in whatever order the two come',
    },
  },
  {
    name: 'identity-by-time',
    fault: 'the digest of an identity depends on the time of the event',
    edits: [
      {
        file: `${SQL}/judge_events.sql`,
        find: "coalesce(e.corrects ->> 'id', e.id)),",
        replace: "coalesce(e.corrects ->> 'id', e.id) || e.time),",
      },
    ],
    test: {
      file: 'infra/supabase/test/ingest-usage.int.test.ts',
      title: 'counts an identity once, also with another time beyond a month border, in whatever order the two come',
    },
  },
  {
    name: 'increment-instead-of-set',
    fault: 'reconcile adds what the ledger says instead of setting it',
    edits: [
      {
        file: `${SQL}/repair_day.sql`,
        find: '    tokens_used = coalesce(f.tokens_used, 0), ',
        replace: '    tokens_used = m.tokens_used + coalesce(f.tokens_used, 0), ',
      },
    ],
    test: {
      file: 'infra/supabase/test/reconcile.int.test.ts',
      title: 'finds and repairs one LLM token too much of a user and day',
      stands: 'one LLM token too much of a user and day',
    },
  },
  {
    name: 'repair-out-of-order',
    fault: "reconcile takes a session after the organization's rollup",
    edits: [
      {
        file: `${SQL}/repair_day.sql`,
        find: '  perform tollgate.add_missing_sessions(for_organization, for_date);\n',
        replace: '',
      },
      {
        file: `${SQL}/repair_day.sql`,
        find: '  perform tollgate.add_missing_periods(for_organization, for_date);\n',
        replace:
          '  perform tollgate.add_missing_sessions(for_organization, for_date);\n  perform tollgate.add_missing_periods(for_organization, for_date);\n',
      },
    ],
    test: {
      file: 'infra/supabase/test/lock-order.int.test.ts',
      title: 'gives a lost session its row before it takes the rollup of the organization',
    },
  },
  {
    name: 'price-unknown-as-zero',
    fault: 'usage without a price costs nothing instead of an unknown amount',
    edits: [
      {
        file: `${SQL}/judge_events.sql`,
        find: '    p.id, p.cost_usd, round(p.cost_usd * h.charge_factor, 12),',
        replace:
          '    coalesce(p.id, 0), coalesce(p.cost_usd, 0), round(coalesce(p.cost_usd, 0) * h.charge_factor, 12),',
      },
    ],
    test: {
      file: 'infra/supabase/test/ingest-usage.int.test.ts',
      title: 'keeps an unknown price as NULL and counts it as unpriced',
    },
  },
  {
    name: 'round-the-charge',
    fault: 'a charge is rounded to cents',
    edits: [
      {
        file: `${SQL}/judge_events.sql`,
        find: 'round(p.cost_usd * h.charge_factor, 12),',
        replace: 'round(p.cost_usd * h.charge_factor, 2),',
      },
    ],
    test: {
      file: 'infra/supabase/test/ledger-stamps.int.test.ts',
      title: "charges the organization's markup, else its plan's, rounded once and half up; unpriced stays unknown",
    },
  },
  {
    name: 'seal-without-periods',
    fault: 'a month is dropped without the closing figures of its periods',
    edits: [
      {
        file: `${SQL}/write_closing_figures.sql`,
        find: '    group by e.organization_id, e.period_start, e.model\n',
        replace: '    where false\n    group by e.organization_id, e.period_start, e.model\n',
      },
    ],
    test: {
      file: 'infra/supabase/test/retention.int.test.ts',
      title: 'drops old months with closing figures, keeps every total, and reconcile still agrees',
    },
  },
  {
    name: 'outlook-unseen',
    fault: 'usage that was recorded while a lower limit took hold makes nobody due',
    edits: [
      {
        file: `${SQL}/apply_user_enforcement.sql`,
        find: '    again := not outlook.is_settled or tollgate.is_beyond_outlook(outlook);',
        replace: '    again := not outlook.is_settled;',
      },
    ],
    test: {
      file: 'services/quota-enforcer/test/due-users.int.test.ts',
      title: 'usage that is recorded while a lower limit takes hold is seen',
    },
  },
  {
    name: 'hold-without-lock',
    fault: 'LLM tokens are held without being alone with the organization',
    edits: [
      {
        file: `${SQL}/reserve_tokens.sql`,
        find: '  order by t.organization_id for update;\n',
        replace: '  order by t.organization_id;\n',
      },
    ],
    test: {
      file: 'infra/supabase/test/lock-order.int.test.ts',
      title: 'follow one another: the second waits for the first, and sees what it has left',
    },
  },
]
