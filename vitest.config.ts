import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    // Integration tests keep two cores busy with the servers they use: more workers would only wait for each other.
    maxWorkers: 3,
    teardownTimeout: 60_000,
    projects: [
      {
        test: {
          name: 'unit',
          // A worker goes on to the next file with the modules that it has: importing a module does nothing, no test replaces one,
          // and loading them anew for each file cost more than the tests.
          isolate: false,
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
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
