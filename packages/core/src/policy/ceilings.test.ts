/** Every limit of a life, by its number and in its words: what is shown to whoever asks why a token ends when it does. */
import { describe, expect, test } from 'vitest'
import { addSeconds } from '../instant.js'
import { explain } from './explain.js'
import { aPolicy, aSituation, orders } from './fixtures/a-situation.js'

const granting = 'rules: [{ name: all, effect: grant, scopes: ["*"], everyone: true }]'
const ceilingsOf = (text: string, given: object, more: object = {}, resource = orders) =>
  explain(aPolicy(`${granting}\n${text}`), { ...aSituation({ request: ['orders:read'], ...given }, resource), ...more }).ceilings
const inWords = (ceilings: ReturnType<typeof ceilingsOf>['access'] | undefined) =>
  ceilings?.map(({ seconds, by, detail }) => [seconds, by, detail])

const session = [43_200, 'session_absolute', 'a session lasts at most 43200 s']
const accessOfRead = [1_800, 'tier', 'the limit of tier read']
const refreshOfRead = [28_800, 'tier', 'the limit of tier read']
const idle = [28_800, 'session_idle', 'a session idles at most 28800 s']
/** The first access token may be issued for the code a minute after the grant was opened. */
const firstTokenOf = (seconds: number, by: string, detail: string) => [
  seconds + 60,
  by,
  `where refresh tokens end before, all ends with the first access token: ${detail}`,
]

test('where nobody limits anything more, the tier, the session and idleness do', () => {
  const { access, refresh, withoutRefresh, end } = ceilingsOf('', {})
  expect(inWords(access)).toEqual([accessOfRead, session, refreshOfRead])
  expect(inWords(refresh?.ceilings)).toEqual([refreshOfRead, idle, session])
  expect(withoutRefresh).toBeUndefined()
  expect(end).toMatchObject({ by: 'tier', detail: 'the limit of tier read' })
})

describe('each limit is told', () => {
  test.each([
    [
      'of a tier that the tenant tightened',
      'limits: { read: { accessTokenSeconds: 60 } }',
      {},
      [60, 'tenant', "the tenant's limit for tier read"],
    ],
    ['of a rule for clients', 'clients: [{ name: c, accessTokenSeconds: 60 }]', {}, [60, 'client_rule', 'client rule c']],
    [
      'of a session',
      'session: { absoluteSeconds: 100 }',
      { sessionSecondsAgo: 40 },
      [60, 'session_absolute', 'a session lasts at most 100 s'],
    ],
    ['of the session at the IdP', '', { idpSessionEndsInSeconds: 60 }, [60, 'idp_session', 'the IdP ends its session then']],
    [
      'of the age of a sign-in',
      'session: { authenticationMaxAgeSeconds: 100 }',
      { authenticatedSecondsAgo: 40 },
      [60, 'authentication_age', 'nothing lives longer than 100 s after the sign-in at the IdP'],
    ],
    [
      'of a sign-in of unknown age',
      'session: { authenticationMaxAgeSeconds: 100 }',
      { authenticatedSecondsAgo: 'unknown' },
      [0, 'authentication_age', 'nothing lives longer than 100 s after the sign-in at the IdP, and the IdP does not say when that was'],
    ],
    ['of consent', 'session: { reconsentSeconds: 60 }', {}, [60, 'reconsent', 'consent lasts 60 s']],
    ['of the directory', '', { deactivatesInSeconds: 60 }, [60, 'deactivation', 'the directory ends this access then']],
  ] as const)('%s', (_, text, given, ceiling) => {
    expect(inWords(ceilingsOf(text, given).access)).toContainEqual(ceiling)
  })

  test('of a client and of a resource', () => {
    const client = { ...aSituation().client, accessTokenTtlSeconds: 50 }
    const { access } = ceilingsOf('', {}, { client }, { ...orders, accessTokenTtlSeconds: 40 })
    expect(inWords(access)).toEqual(
      expect.arrayContaining([
        [40, 'resource', 'the limit of the resource'],
        [50, 'client', 'the limit of the client'],
      ]),
    )
  })

  test('of refresh tokens too: of tiers, of rules for clients, of idleness, and of all that ends everything', () => {
    const text =
      'limits: { write: { refreshTokenSeconds: 600 } }\nclients: [{ name: c, refreshTokenSeconds: 700 }]\nsession: { idleSeconds: 800, reconsentSeconds: 900 }'
    const { refresh } = ceilingsOf(text, { request: ['orders:read', 'orders:write'] })
    expect(inWords(refresh?.ceilings)).toEqual([
      refreshOfRead,
      [600, 'tenant', "the tenant's limit for tier write"],
      [700, 'client_rule', 'client rule c'],
      [800, 'session_idle', 'a session idles at most 800 s'],
      session,
      [900, 'reconsent', 'consent lasts 900 s'],
    ])
    expect(refresh?.endsAt).toBe(addSeconds(aSituation().now, 600))
  })

  test.each([
    [
      'one of its tiers has none',
      '',
      { request: ['orders:read', 'orders:admin'], amr: ['mfa'] },
      'tier admin has none',
      [300, 'tier', 'the limit of tier admin'],
    ],
    [
      'a rule for clients refuses it',
      'clients: [{ name: c, refreshTokenSeconds: 60 }, { name: d, refreshTokenSeconds: none }]',
      {},
      'client rule d allows none',
      accessOfRead,
    ],
    ['nothing is granted', 'clients: [{ name: c, refuse: true }]', {}, 'nothing is granted', undefined],
  ] as const)('there is no refresh token where %s, and all ends with the first access token', (_, text, given, because, first) => {
    const { refresh, withoutRefresh, end, access } = ceilingsOf(text, given)
    expect([refresh, withoutRefresh]).toEqual([undefined, because])
    const [seconds, by, detail] = first === undefined ? session : firstTokenOf(...(first as [number, string, string]))
    expect(end).toMatchObject({ at: addSeconds(aSituation().now, seconds as number), by, detail })
    expect(inWords(access)?.at(-1)).toEqual([seconds, by, detail])
  })

  test('there is no refresh token any more where its limit has ended it', () => {
    const input = aSituation({ kind: 'refresh' })
    const opened = (secondsAgo: number) => ({ session: { ...input.session, grantedAt: addSeconds(input.now, -secondsAgo) } })
    const reasonAfter = (secondsAgo: number) =>
      ceilingsOf('limits: { read: { refreshTokenSeconds: 500 } }', { kind: 'refresh' }, opened(secondsAgo)).withoutRefresh
    expect([reasonAfter(499), reasonAfter(500)]).toEqual([undefined, "the tenant's limit for tier read has ended it"])
  })

  test('consent and refresh tokens count from the opening of the grant, the rest from now', () => {
    const input = aSituation({ kind: 'refresh' })
    const opened = { session: { ...input.session, grantedAt: addSeconds(input.now, -100) } }
    const { access, refresh } = ceilingsOf('session: { reconsentSeconds: 500 }', { kind: 'refresh' }, opened)
    const [reconsent, left] = [
      [400, 'reconsent', 'consent lasts 500 s'],
      [28_700, 'tier', 'the limit of tier read'],
    ]
    expect(inWords(access)).toEqual([accessOfRead, session, reconsent, left])
    expect(inWords(refresh?.ceilings)).toEqual([left, idle, session, reconsent])
  })
})

test('of several ends the first ends the grant, and of equal ones the first that is listed is named', () => {
  const endOf = (text: string, given: object) => ceilingsOf(text, given).end
  const { now } = aSituation()
  expect(endOf('', { idpSessionEndsInSeconds: 60, deactivatesInSeconds: 50 })).toMatchObject({
    at: addSeconds(now, 50),
    by: 'deactivation',
  })
  expect(endOf('', { idpSessionEndsInSeconds: 50, deactivatesInSeconds: 50 })).toMatchObject({ at: addSeconds(now, 50), by: 'idp_session' })
  expect(endOf('limits: { read: { refreshTokenSeconds: 5000 } }', { idpSessionEndsInSeconds: 6000 })).toMatchObject({ by: 'tenant' })
  expect(endOf('limits: { read: { refreshTokenSeconds: 1000 } }', { idpSessionEndsInSeconds: 6000 })).toMatchObject({
    at: addSeconds(now, 1860),
    by: 'tier',
  })
})
