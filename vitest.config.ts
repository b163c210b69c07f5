import { defineConfig } from 'vitest/config'

// A worker goes on to the next file with the modules that it has: importing a module does nothing, no test replaces one, and loading
// them anew for each file cost as much as most files' tests. What a file leaves behind thus meets the next one: it leaves nothing.
const isolate = false

export default defineConfig({
  test: {
    // Integration tests keep two cores busy with the servers they use: more workers would only wait for each other.
    maxWorkers: 3,
    teardownTimeout: 60_000,
    projects: [
      {
        test: {
          name: 'unit',
          isolate,
          // A busy machine must not turn a property of many runs red.
          testTimeout: 60_000,
          include: [
            '{packages,services,apps}/*/src/**/*.test.ts',
            'infra/**/src/**/*.test.ts',
            '{bench,chaos,mutants,adversarial}/src/**/*.test.ts',
          ],
          exclude: ['**/node_modules/**', '**/dist/**'],
        },
      },
      {
        test: {
          name: 'int',
          include: [
            '{packages,services,apps,infra}/*/test/**/*.int.test.ts',
            '{bench,chaos,adversarial}/test/**/*.int.test.ts',
          ],
          exclude: ['**/node_modules/**', '**/dist/**'],
          globalSetup: ['infra/local-stack/src/testing/global-setup.ts'],
          pool: 'forks',
          isolate,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // What is polled is done by others, and the default of a second is less than a machine can stall.
          expect: { poll: { timeout: 10_000 } },
        },
      },
    ],
  },
})
