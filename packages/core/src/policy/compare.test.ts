import { expect, test } from 'vitest'
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

const asking = (request: string[], rest = '') =>
  decide(aPolicy(`rules: [{ name: all, effect: grant, scopes: ["*"], everyone: true }]\n${rest}`), aSituation({ request }))
const denied = asking([], 'clients: [{ name: c, refuse: true }]')

test.each([
  [
    'a scope that is lost and one that is gained',
    asking(['orders:read', 'orders:write']),
    asking(['orders:write', 'orders:read']),
    undefined,
  ],
  [
    'of one scope another of its tier',
    asking(['orders:read', 'orders:write']),
    asking(['orders:write']),
    { outcome: { from: 'allow', to: 'allow' }, gained: [], lost: ['orders:read'] },
  ],
  [
    'one scope more that changes no life',
    asking(['orders:write']),
    asking(['orders:read', 'orders:write']),
    { outcome: { from: 'allow', to: 'allow' }, gained: ['orders:read'], lost: [] },
  ],
  [
    'an access token alone',
    asking(['orders:read']),
    asking(['orders:read'], 'limits: { read: { accessTokenSeconds: 60 } }'),
    { outcome: { from: 'allow', to: 'allow' }, gained: [], lost: [], accessTokenSeconds: { from: 1800, to: 60 } },
  ],
  [
    'a refresh token that is no more',
    asking(['orders:read']),
    asking(['orders:read'], 'limits: { read: { refreshTokenSeconds: none } }'),
    { outcome: { from: 'allow', to: 'allow' }, gained: [], lost: [], refreshTokenSeconds: { from: 28_800, to: undefined } },
  ],
  [
    'everything',
    denied,
    asking(['orders:read']),
    {
      outcome: { from: 'deny', to: 'allow' },
      ...{ gained: ['orders:read'], lost: [] },
      ...{ accessTokenSeconds: { from: undefined, to: 1800 }, refreshTokenSeconds: { from: undefined, to: 28_800 } },
    },
  ],
  ['one refusal by another', denied, asking(['nothing']), undefined],
  [
    'a refusal by a question',
    denied,
    asking(['orders:read'], 'mfa: [{}]'),
    { outcome: { from: 'deny', to: 'stepUp' }, gained: [], lost: [] },
  ],
] as const)('it says of %s exactly what is other', (_, before, after, change) => {
  expect(compareDecisions(before, after)).toStrictEqual(change)
})
