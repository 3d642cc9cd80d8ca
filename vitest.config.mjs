// One configuration for every package: tests rest beside their code, TypeScript is read from source, a throw-away PostgreSQL serves them all.
import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { ProductsFirst } from './tools/test-order.mjs'

const sourceOf = (folder, names) => ({
  find: new RegExp(`^@drawbridge/${names}/(.*)$`),
  replacement: `${import.meta.dirname}/${folder}/$1/src/$2.ts`,
})

// What kills, starves or fills the product, and what needs very many rows or messages: minutes in all. `npm run test:long` runs them, and CI does; `npm test`
// leaves them out unless it is given their path.
export const longTests = [
  'apps/cli/test/database-gone.test.ts',
  'apps/cli/test/faults.test.ts',
  'apps/cli/test/fleet-on-redis.test.ts',
  'apps/cli/test/killed-start.test.ts',
  'apps/cli/test/production-on-redis.test.ts',
  'apps/cli/test/refusals-at-start.test.ts',
  'apps/worker/src/bound-event-streams.test.ts',
  'apps/worker/src/poll-full-store.test.ts',
  'packages/store/src/forgotten-connections.test.ts',
  'packages/store/src/full-unmatched-signals.test.ts',
  'packages/store/src/scim-plans.test.ts',
  'packages/upstream/src/saml/attacks-on-vendors.test.ts',
]
const which = process.env.DRAWBRIDGE_TESTS
const allTests = ['{apps,packages,examples}/*/src/**/*.test.ts', 'apps/*/test/**/*.test.ts', 'tools/**/*.test.ts', 'bench/src/**/*.test.ts']

export default defineConfig({
  resolve: {
    alias: [
      sourceOf('packages', '(core|crypto|runtime|store|upstream|xml-signature|guard|testkit|conformance)'),
      sourceOf('apps', '(broker|worker|simulator|cli)'),
      sourceOf('examples', 'example-(mcp-server|agent)'),
    ],
  },
  test: {
    include: which === 'long' ? longTests : allTests,
    exclude: ['**/node_modules/**', ...(which === 'short' ? longTests : [])],
    globalSetup: 'tools/test-setup.mjs',
    setupFiles: 'tools/test-file-begins.mjs',
    pool: 'forks',
    isolate: false, // modules hold no state that a test could leave behind, and loading them anew for each file took longer than the tests
    // The default keeps a core free, and much of the suite waits for processes of the product. What starves them is not to starve them more.
    maxWorkers: availableParallelism() + (which === 'long' ? 0 : 1),
    sequence: { hooks: 'list', sequencer: ProductsFirst }, // a file that begins two things ends them in the same order
    testTimeout: 60_000, // nothing waits for it but a test that hangs; a busy machine needs the room
    hookTimeout: 60_000,
  },
})
