// Mutation testing of the policy (`pnpm mutate`): changes its code in a thousand small ways, says which changes no test noticed, and prints the score.
export default {
  mutate: ['packages/core/src/policy/*.ts', '!packages/core/src/policy/*.test.ts'],
  testRunner: 'loaded',
  plugins: ['./tools/mutation-runner.mjs'],
  coverageAnalysis: 'perTest',
  // What the sandbox needs is the core and the examples; nothing else is copied.
  ignorePatterns: ['.drawbridge', 'apps', 'bench', 'docs', 'infra', 'prisma', 'packages/*', '!packages/core', '**/dist'],
  // TypeScript 7 has no interface by which Stryker could rewrite this file, and the runner does not read it.
  tsconfigFile: 'none',
  tempDirName: '.drawbridge/mutation',
  incrementalFile: '.drawbridge/mutation-known.json',
  reporters: ['clear-text', 'json'],
  jsonReporter: { fileName: '.drawbridge/mutation.json' },
  clearTextReporter: { allowColor: false, reportTests: false },
  concurrency: 1,
  // A change that hangs counts as noticed, so nothing may seem to hang because the machine is busy.
  timeoutMS: 60_000,
}
