// One configuration for every package: tests rest beside their code, TypeScript is read from source, a throw-away PostgreSQL serves them all.
import { defineConfig } from 'vitest/config'

const sourceOf = (folder, names) => ({
  find: new RegExp(`^@drawbridge/${names}/(.*)$`),
  replacement: `${import.meta.dirname}/${folder}/$1/src/$2.ts`,
})

export default defineConfig({
  resolve: {
    alias: [
      sourceOf('packages', '(core|crypto|runtime|store|upstream|xml-signature|guard|testkit|conformance)'),
      sourceOf('apps', '(broker|worker|simulator|cli)'),
      sourceOf('examples', 'example-(mcp-server|agent)'),
    ],
  },
  test: {
    include: ['{apps,packages,examples}/*/src/**/*.test.ts', 'apps/*/test/**/*.test.ts', 'tools/**/*.test.ts', 'bench/src/**/*.test.ts'],
    globalSetup: 'tools/test-setup.mjs',
    pool: 'forks',
    isolate: false, // modules hold no state that a test could leave behind, and loading them anew for each file took longer than the tests
    maxWorkers: '100%', // the default keeps a core free, and much of the suite waits for processes of the product
    sequence: { hooks: 'list' }, // a file that begins two things ends them in the same order
    testTimeout: 60_000, // nothing waits for it but a test that hangs; a busy machine needs the room
    hookTimeout: 60_000,
  },
})
