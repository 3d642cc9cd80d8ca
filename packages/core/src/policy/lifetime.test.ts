import { expect, test } from 'vitest'
import { addSeconds } from '../instant.js'
import { decide } from './decide.js'
import { aPolicy, aSituation } from './fixtures/a-situation.js'

const everything = 'rules: [{ name: all, effect: grant, scopes: ["orders:*"], everyone: true }]'
const read = { request: ['orders:read'] }

test('a session that has ended grants nothing: she is sent back for another once, and a refresh is not', () => {
  const outcome = (given: object) => decide(aPolicy(everything), aSituation({ ...read, idpSessionEndsInSeconds: 0, ...given }))
  expect(outcome({})).toMatchObject({ kind: 'stepUp', demand: 'fresh' })
  expect(outcome({ stepUpsDone: 1 })).toMatchObject({ kind: 'deny', reason: 'session_ended' })
  expect(outcome({ kind: 'refresh' })).toMatchObject({ kind: 'deny', reason: 'session_ended' })
})

test('a rotation wins no time: the limit of refresh tokens counts from the opening of the grant', () => {
  const { now, ...input } = aSituation({ ...read, kind: 'refresh' })
  const at = (policy: string, secondsAgo: number) =>
    decide(aPolicy(`${everything}\n${policy}`), { ...input, now, session: { ...input.session, grantedAt: addSeconds(now, -secondsAgo) } })
  expect(at('', 28_000)).toMatchObject({ kind: 'allow', refreshTokenTtl: { seconds: 800, by: 'tier' }, endsAt: addSeconds(now, 800) })
  expect(at('', 28_800)).toMatchObject({
    kind: 'deny',
    reason: 'session_ended',
    missing: expect.stringContaining('the limit of tier read'),
  })
  const tightened = 'limits: { read: { accessTokenSeconds: 300, refreshTokenSeconds: 600 } }'
  expect(at(tightened, 500)).toMatchObject({
    ...{ accessTokenTtl: { seconds: 100, by: 'tenant' }, refreshTokenTtl: { seconds: 100, by: 'tenant' }, endsAt: addSeconds(now, 100) },
  })
  expect(at(tightened, 600)).toMatchObject({ reason: 'session_ended' })
})

test('idleness alone counts from the last use', () => {
  const { now, ...input } = aSituation({ ...read, kind: 'refresh' })
  const session = { ...input.session, grantedAt: addSeconds(now, -1000) }
  const decision = decide(aPolicy(`${everything}\nsession: { idleSeconds: 700 }`), { ...input, now, session })
  expect(decision).toMatchObject({ refreshTokenTtl: { seconds: 700, by: 'session_idle' }, endsAt: addSeconds(now, 27_800) })
})

test.each([
  ['none', undefined, 1860],
  ['1', 1, 1860],
  ['600', 600, 1860],
  ['1860', 1860, 1860],
  ['1861', 1861, 1861],
  ['28800', 28_800, 28_800],
])(
  'refresh tokens of %s take nothing from the first access token, and the grant ends with whichever is over later',
  (limit, refresh, end) => {
    const { now, ...input } = aSituation(read)
    const decision = decide(aPolicy(`${everything}\nlimits: { read: { refreshTokenSeconds: ${limit} } }`), { ...input, now })
    expect(decision).toMatchObject({ accessTokenTtl: { seconds: 1800, by: 'tier' }, endsAt: addSeconds(now, end) })
    const { refreshTokenTtl, refreshEndsAt } = decision as Extract<typeof decision, { kind: 'allow' }>
    expect([refreshTokenTtl?.seconds, refreshEndsAt]).toEqual([refresh, refresh && addSeconds(now, refresh)])
  },
)

test.each([
  ['limits: { read: { refreshTokenSeconds: none } }', 0, 'tier read has none'],
  ['clients: [{ name: short, refreshTokenSeconds: none }]', 0, 'client rule short allows none'],
  ['clients: [{ name: short, refreshTokenSeconds: 60 }]', 60, 'client rule short has ended it'],
  ['limits: { read: { refreshTokenSeconds: 60 } }', 60, "the tenant's limit for tier read has ended it"],
])('a decision without refresh token says why: %s after %i s', (policy, secondsAgo, because) => {
  const { now, ...input } = aSituation({ ...read, kind: 'refresh' })
  const session = { ...input.session, grantedAt: addSeconds(now, -secondsAgo) }
  const decision = decide(aPolicy(`${everything}\n${policy}`), { ...input, now, session })
  expect(decision).toMatchObject({ kind: 'allow', refreshTokenTtl: undefined, refreshEndsAt: undefined })
  expect(decision.explanation.notes).toEqual([`no refresh token: ${because}`])
})

test('where refresh tokens end before it, a grant is over when its first access token is, however young the latest one', () => {
  const { now, ...input } = aSituation({ ...read, kind: 'refresh' })
  const at = (limit: string, secondsAgo: number) =>
    decide(aPolicy(`${everything}\nlimits: { read: { refreshTokenSeconds: ${limit} } }`), {
      ...{ ...input, now },
      session: { ...input.session, grantedAt: addSeconds(now, -secondsAgo) },
    })
  for (const limit of ['none', '60']) {
    const late = at(limit, 1000)
    expect(late).toMatchObject({ accessTokenTtl: { seconds: 860, by: 'tier' }, refreshTokenTtl: undefined, endsAt: addSeconds(now, 860) })
    expect(at(limit, 1860)).toMatchObject({
      kind: 'deny',
      reason: 'session_ended',
      missing: expect.stringContaining('the first access token'),
    })
  }
})
