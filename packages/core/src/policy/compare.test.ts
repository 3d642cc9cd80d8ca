import { expect, test } from '@jest/globals'
import { compareDecisions } from './compare.js'
import { decide } from './decide.js'
import { aPolicy, aSituation } from './fixtures/a-situation.js'

const granting = (scopes: string, rest = ''): ReturnType<typeof decide> =>
  decide(aPolicy(`rules: [{ name: all, effect: grant, scopes: [${scopes}], everyone: true }]\n${rest}`), aSituation())
const read = '"orders:read"'

test.each([
  ['the same', granting(read), granting(read), undefined],
  [
    'another scope',
    granting(read),
    granting('"orders:read", "orders:write"'),
    { gained: ['orders:write'], lost: [], accessTokenSeconds: { from: 1800, to: 900 } },
  ],
  [
    'no scope any more',
    granting(read),
    granting('"none"'),
    { outcome: { from: 'allow', to: 'deny' }, gained: [], lost: ['orders:read'], refreshTokenSeconds: { from: 28_800, to: undefined } },
  ],
  [
    'a second factor',
    granting(read),
    granting(read, 'mfa: [{ tiers: [read] }]'),
    { outcome: { from: 'allow', to: 'stepUp' }, lost: ['orders:read'] },
  ],
  [
    'a shorter life',
    granting(read),
    granting(read, 'limits: { read: { refreshTokenSeconds: 3600 } }'),
    { gained: [], lost: [], refreshTokenSeconds: { from: 28_800, to: 3600 } },
  ],
] as const)('%s', (_, before, after, change) => {
  const found = compareDecisions(before, after)
  if (change === undefined) expect(found).toBeUndefined()
  else expect(found).toMatchObject(change)
  if (change !== undefined && !('accessTokenSeconds' in change) && after.kind === 'allow')
    expect(found).not.toHaveProperty('accessTokenSeconds')
})
