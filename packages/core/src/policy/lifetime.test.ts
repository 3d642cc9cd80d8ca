import { expect, test } from '@jest/globals'
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
  const tightened = 'limits: { read: { refreshTokenSeconds: 600 } }'
  expect(at(tightened, 500)).toMatchObject({ refreshTokenTtl: { seconds: 100, by: 'tenant' }, endsAt: addSeconds(now, 100) })
  expect(at(tightened, 600)).toMatchObject({ reason: 'session_ended' })
})

test('idleness alone counts from the last use', () => {
  const { now, ...input } = aSituation({ ...read, kind: 'refresh' })
  const session = { ...input.session, grantedAt: addSeconds(now, -1000) }
  const decision = decide(aPolicy(`${everything}\nsession: { idleSeconds: 700 }`), { ...input, now, session })
  expect(decision).toMatchObject({ refreshTokenTtl: { seconds: 700, by: 'session_idle' }, endsAt: addSeconds(now, 27_800) })
})

test('an access token is decided to live no longer than its grant', () => {
  const decision = decide(aPolicy(`${everything}\nlimits: { read: { refreshTokenSeconds: 600 } }`), aSituation(read))
  expect(decision).toMatchObject({ accessTokenTtl: { seconds: 600, by: 'tenant' }, refreshTokenTtl: { seconds: 600, by: 'tenant' } })
})
