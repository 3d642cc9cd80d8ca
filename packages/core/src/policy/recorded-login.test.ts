import { expect, test } from '@jest/globals'
import * as fc from 'fast-check'
import { instant } from '../instant.js'
import type { AuthorizationRequestId, SubjectId } from '../tenant/ids.js'
import { decide } from './decide.js'
import { aPolicy, aSituation } from './fixtures/a-situation.js'
import { inputOfRecord, recordedLoginFromText, recordedLoginId, recordLogin } from './recorded-login.js'

const policy = aPolicy(`rules:
  - { name: staff, effect: grant, scopes: ["orders:*"], groups: [staff] }
  - { name: abroad, effect: deny, scopes: ["orders:refund"], when: 'request.country != "DE"' }
  - { name: office, effect: deny, scopes: ["orders:write"], when: '!request.address.startsWith("10.")' }
  - { name: spam, effect: deny, scopes: ["*"], when: 'claims.email == "spam@acme.example"' }
mfa: [{ tiers: [admin, sensitive], freshSeconds: 600 }]
session: { authenticationMaxAgeSeconds: 3600, reconsentSeconds: 7200 }
clients: [{ name: unattested, when: '!client.attested', accessTokenSeconds: 60 }]`)

const aLogin = fc
  .record({
    groups: fc.oneof(fc.constant(['staff']), fc.constant('unknown' as const), fc.constant('absent' as const)),
    claims: fc.constantFrom<Record<string, string | string[] | number | boolean>[]>(
      {},
      { email: 'ada@acme.example', n: 1, isStaff: true, roles: ['a', 'b'] },
      { email: 'spam@acme.example' },
    ),
    amr: fc.constantFrom(['pwd'], ['pwd', 'otp']),
    request: fc.constantFrom([], ['orders:read'], ['orders:read', 'orders:write', 'orders:refund', 'nonsense']),
    stepUpsDone: fc.constantFrom(0, 1),
    authenticatedSecondsAgo: fc.constantFrom('unknown' as const, 0, 500, 7000),
    sessionSecondsAgo: fc.constantFrom(0, 500),
    isOwnSession: fc.boolean(),
    country: fc.constantFrom(undefined, 'DE', 'FR'),
    address: fc.constantFrom(undefined, '10.0.0.1', '192.0.2.1'),
    client: fc.constantFrom({}, { kind: 'preregistered' as const, host: 'agent.example', scopeCeiling: ['orders:read'] }),
  })
  .map(({ country, address, ...given }) => aSituation({ ...given, ...(country && { country }), ...(address && { address }) }))
const moments = fc.option(fc.integer({ min: 1_700_000_000_000, max: 1_800_000_000_000 }).map(instant), { nil: undefined })

test('a record holds everything that the decision depended on: it is decided from it exactly alike', () =>
  fc.assert(
    fc.property(aLogin, fc.tuple(moments, moments, moments, moments), fc.boolean(), (situation, times, attested) => {
      const { session, client, identity } = situation
      const [deactivatesAt, grantedAt, privilegedFrom, provedAt] = times
      const ownFactor = provedAt && { methods: ['otp'], provedAt }
      const authentication = { ...identity.authentication, ...(ownFactor && { ownFactor }) }
      const input = {
        ...situation,
        deactivatesAt,
        privilegedFrom,
        identity: { ...identity, authentication },
        session: { ...session, grantedAt },
        client: { ...client, attested },
      }
      const decision = decide(policy, input)
      const record = recordLogin(input, decision)
      const read = recordedLoginFromText(JSON.stringify(record))
      expect(read).toEqual(record)
      expect(read && decide(policy, inputOfRecord(read))).toEqual(decision)
    }),
  ))

test('a record holds what the mapping made, and nothing by which a session at the IdP could be named', () => {
  const situation = aSituation({ groups: ['staff'], claims: { email: 'ada@acme.example' } })
  const idpSession = {
    sessionIndex: 'secret-index',
    nameId: { value: 'secret-name', format: undefined, nameQualifier: undefined, spNameQualifier: undefined },
    sid: 'secret-sid',
    subject: { issuer: 'secret-issuer', sub: 'secret-sub' },
  }
  const input = { ...situation, identity: { ...situation.identity, subjectId: 'subject' as SubjectId, idpSession } }
  const written = JSON.stringify(recordLogin(input, decide(policy, input)))
  expect(written).toContain('ada@acme.example')
  expect(written).not.toContain('secret')
})

test('a record says what was decided', () => {
  const said = (given: { readonly groups: readonly string[]; readonly request?: readonly string[] }) => {
    const input = aSituation({ address: '10.0.0.1', country: 'DE', claims: { email: 'ada@acme.example' }, ...given })
    return recordLogin(input, decide(policy, input)).decision
  }
  expect(said({ groups: ['staff'], request: ['orders:read'] })).toEqual({
    kind: 'allow',
    scopes: ['orders:read'],
    reason: null,
    accessTokenSeconds: 60,
    refreshTokenSeconds: 3600,
  })
  expect(said({ groups: ['staff'], request: ['orders:refund'] })).toMatchObject({ kind: 'stepUp', reason: 'mfa', scopes: [] })
  expect(said({ groups: [] })).toMatchObject({ kind: 'deny', reason: 'nothing_granted', accessTokenSeconds: null })
})

test.each(['', 'null', '{}', '{"at":1}', 'no JSON'])('what another version wrote is not understood: %s', (text) => {
  expect(recordedLoginFromText(text)).toBeUndefined()
})

test('a record has one id for a request and for each time that a factor was asked for, and it is not the id of the request', () => {
  const request = '6f0e7d0a-0000-4000-8000-000000000000' as AuthorizationRequestId
  const ids = [recordedLoginId(request, 0), recordedLoginId(request, 1), recordedLoginId('other' as AuthorizationRequestId, 0)]
  expect(new Set(ids).size).toBe(3)
  expect(ids).not.toContain(request)
  expect(recordedLoginId(request, 0)).toBe(ids[0])
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
})
