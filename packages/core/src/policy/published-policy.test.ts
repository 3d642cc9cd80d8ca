import { expect, test } from 'vitest'
import { defaultWall } from './compile.js'
import { decide } from './decide.js'
import { aSituation } from './fixtures/a-situation.js'
import { compilePublishedPolicy, compilePublishedWall } from './published-policy.js'

const everything = 'version: 1\nrules: [{ name: all, effect: grant, scopes: ["*"], everyone: true }]'
const decided = (policyDocument: string | undefined, wall = compilePublishedWall(undefined).value) => {
  const { value, isBroken } = compilePublishedPolicy({ policyVersion: 7, policyDocument }, wall)
  const { kind, explanation } = decide(value, aSituation({ request: ['orders:read'] }))
  return { kind, isBroken, version: explanation.policyVersion, because: explanation.scopes[0]?.because }
}

test('a policy that was published holds under its version', () => {
  expect(decided(everything)).toMatchObject({ kind: 'allow', isBroken: false, version: 7 })
})

test.each([
  ['that was never published', undefined, false],
  ['that can be read no more', 'version: 1\nrules: [', true],
  ['that is accepted no more', `${everything.slice(0, -1)}, { name: all, effect: grant, scopes: ["*"], everyone: true }]`, true],
])('a policy %s grants nothing, under its version', (_, document, isBroken) => {
  expect(decided(document)).toEqual({ kind: 'deny', isBroken, version: 7, because: 'no rule grants it' })
})

test('a policy that became looser than the wall is held to the wall and not refused', () => {
  const loose = `${everything}\nlimits: { read: { accessTokenSeconds: 600 } }`
  const wall = compilePublishedWall({ version: 3, document: 'version: 1\nlimits: { read: { accessTokenSeconds: 60 } }' })
  expect(wall.isBroken).toBe(false)
  const { value, isBroken } = compilePublishedPolicy({ policyVersion: 7, policyDocument: loose }, wall.value)
  expect([isBroken, value.wallVersion]).toEqual([false, 3])
  expect(decide(value, aSituation({ request: ['orders:read'] }))).toMatchObject({ accessTokenTtl: { seconds: 60, by: 'tier' } })
})

test('a vendor that published no wall has the table of tiers alone', () => {
  expect(compilePublishedWall(undefined)).toEqual({ value: defaultWall, isBroken: false })
})

test('through a wall that can be read no more nothing comes, and it keeps its version', () => {
  const wall = compilePublishedWall({ version: 4, document: 'version: 1\nrules: [' })
  expect([wall.isBroken, wall.value.version]).toEqual([true, 4])
  expect(decided(everything, wall.value)).toMatchObject({ kind: 'deny', isBroken: false, because: "denied by the vendor's rule closed" })
  expect(decided(undefined, wall.value)).toMatchObject({ kind: 'deny', isBroken: false })
})
