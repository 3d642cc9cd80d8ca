// Mutation testing of the policy (`pnpm mutate`): changes its code in a thousand small ways and says which changes no test noticed. Takes long, so no gate runs it.
export default {
  mutate: ['packages/core/src/policy/*.ts', '!packages/core/src/policy/*.test.ts'],
  testRunner: 'jest',
  testRunnerNodeArgs: ['--experimental-vm-modules'],
  plugins: ['@stryker-mutator/jest-runner'],
  jest: { projectType: 'custom', configFile: 'tools/jest-mutation.config.mjs' },
  coverageAnalysis: 'perTest',
  // What the sandbox needs is the core and the examples; nothing else is copied.
  ignorePatterns: ['apps', 'bench', 'docs', 'infra', 'prisma', 'packages/*', '!packages/core', '**/dist'],
  // TypeScript 7 has no interface by which Stryker could rewrite this file, and jest does not read it.
  tsconfigFile: 'none',
  tempDirName: '.drawbridge/mutation',
  reporters: ['clear-text', 'json'],
  jsonReporter: { fileName: '.drawbridge/mutation.json' },
  clearTextReporter: { allowColor: false, logTests: false },
  concurrency: 2,
  timeoutMS: 20_000,
}
