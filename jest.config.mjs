// One configuration for every package: tests rest beside their code, TypeScript is read from source, a throw-away PostgreSQL serves them all.
const swc = { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'es6' }, sourceMaps: 'inline' }

export default {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': ['@swc/jest', swc] },
  moduleNameMapper: {
    '^@drawbridge/(core|crypto|runtime|store|upstream|xml-signature|guard|testkit)/(.*)$': '<rootDir>/packages/$1/src/$2.ts',
    '^@drawbridge/(broker|worker|simulator|cli)/(.*)$': '<rootDir>/apps/$1/src/$2.ts',
    '^@drawbridge/example-(mcp-server|agent)/(.*)$': '<rootDir>/examples/$1/src/$2.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  testMatch: [
    '<rootDir>/{apps,packages,examples}/*/src/**/*.test.ts',
    '<rootDir>/apps/*/test/**/*.test.ts',
    '<rootDir>/tools/**/*.test.ts',
    '<rootDir>/bench/src/**/*.test.ts',
  ],
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
  modulePathIgnorePatterns: ['<rootDir>/.*/dist/'],
  globalSetup: '<rootDir>/tools/jest-setup.mjs',
  globalTeardown: '<rootDir>/tools/jest-teardown.mjs',
  maxWorkers: '100%', // on two cores the default is one worker, and much of the suite waits for processes of the product
  workerIdleMemoryLimit: '1GB', // modules of the test VM are not given back
  testTimeout: 60_000, // nothing waits for it but a test that hangs; a busy machine needs the room
}
