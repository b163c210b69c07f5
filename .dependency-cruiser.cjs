// The one-way rule of docs/architecture.md: contracts ← config, logging, metrics ← queues, store ← lifecycle ← services.
const shared = (folders) => `^packages/shared/src/(${folders})/`
const mayNot = (name, from, to, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from },
  to: { path: to },
})
const TESTS = '(\\.test\\.ts$|/test/|/testing/)'

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    mayNot(
      'contracts-first',
      shared('contracts'),
      shared('config|logging|metrics|queues|store|lifecycle'),
      'contracts import nothing of ours',
    ),
    {
      name: 'contracts-need-zod-alone',
      comment: 'a browser may import them',
      severity: 'error',
      from: { path: shared('contracts'), pathNot: TESTS },
      to: { dependencyTypes: ['npm', 'core'], pathNot: 'node_modules/zod/' },
    },
    mayNot(
      'quota-is-pure',
      shared('quota'),
      shared('config|logging|metrics|queues|store|lifecycle'),
      'decisions know contracts alone',
    ),
    mayNot(
      'base-before-io',
      shared('config|logging|metrics'),
      shared('queues|store|lifecycle'),
      'config, logging and metrics know no queue and no table',
    ),
    mayNot(
      'io-before-lifecycle',
      shared('queues|store'),
      shared('lifecycle'),
      'queues and store know nothing of a process',
    ),
    mayNot('queues-beside-store', shared('queues'), shared('store'), 'Redis and Postgres are joined in the services'),
    mayNot('store-beside-queues', shared('store'), shared('queues'), 'Redis and Postgres are joined in the services'),
    {
      name: 'shared-knows-no-service',
      severity: 'error',
      from: { path: '^packages/shared/src', pathNot: TESTS },
      to: { path: '^(services|apps|infra|bench|chaos)/' },
    },
    {
      name: 'services-know-no-other',
      severity: 'error',
      from: { path: '^services/([^/]+)/', pathNot: TESTS },
      to: { path: '^(services|apps|infra|bench|chaos)/', pathNot: '^services/$1/' },
    },
    {
      name: 'main-is-a-leaf',
      comment: 'main.ts has side effects: nobody imports it',
      severity: 'error',
      from: {},
      to: { path: '^(services|apps)/[^/]+/src/main\\.ts$' },
    },
    {
      name: 'tests-stay-outside',
      comment: 'the fault harness is a test: it compares with the same references',
      severity: 'error',
      from: { path: '/src/', pathNot: `${TESTS}|^chaos/` },
      to: { path: '(\\.test\\.ts$|/test/|/src/testing/)' },
    },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'declared-dependencies',
      severity: 'error',
      from: { path: '/src/', pathNot: TESTS },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|\\.turbo)/' },
    tsPreCompilationDeps: true,
    moduleSystems: ['es6', 'cjs'],
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json'],
    },
  },
}
