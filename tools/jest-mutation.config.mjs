// Tests of the policy alone, without a database: what mutation testing runs for every change that it makes.
import everything from '../jest.config.mjs'

const { globalSetup: _, globalTeardown: __, ...rest } = everything

export default {
  ...rest,
  rootDir: '..',
  testMatch: ['<rootDir>/packages/core/src/policy/**/*.test.ts'],
  setupFiles: ['<rootDir>/tools/jest-mutation-setup.mjs'],
}
