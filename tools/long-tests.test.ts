import { existsSync } from 'node:fs'
import { expect, it } from 'vitest'
import { longTests } from '../vitest.config.mjs'

it('each test that runs apart is there: a name that has changed would be a line that means nothing', () => {
  expect(longTests.filter((path) => !existsSync(new URL(`../${path}`, import.meta.url)))).toEqual([])
})
