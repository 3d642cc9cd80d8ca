import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { traceLimits } from '../identity/login-trace.js'
import { addSeconds, instant } from '../instant.js'
import type { AuthorizationRequestId, SubjectId } from '../tenant/ids.js'
import { decide } from './decide.js'
import { aPolicy, aSituation } from './fixtures/a-situation.js'
import type { PolicyInput } from './input.js'
import { inputOfRecord, recordedLoginFromText, recordedLoginId, recordedLoginLimits, recordLogin } from './recorded-login.js'

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
  const said = (given: { readonly groups: readonly string[]; readonly request?: readonly string[]; readonly amr?: readonly string[] }) => {
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
  expect(said({ groups: ['staff'], request: ['orders:admin'], amr: ['mfa'] })).toMatchObject({ kind: 'allow', refreshTokenSeconds: null })
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

const { now, ...known } = aSituation({
  ...{ groups: ['staff'], claims: { roles: ['a'] }, acr: 'urn:a', amr: ['mfa'], address: '10.0.0.1', country: 'DE' },
  ...{
    request: ['orders:read', 'orders:refund'],
    idpSessionEndsInSeconds: 50,
    deactivatesInSeconds: 60,
    stepUpsDone: 1,
    isOwnSession: false,
  },
  client: { id: 'robot', host: 'robot.example', kind: 'dynamic', scopeCeiling: ['orders:read'] },
})
const whole: PolicyInput = {
  ...known,
  privilegedFrom: addSeconds(now, -70),
  client: { ...known.client, attested: true, accessTokenTtlSeconds: 80 },
  resource: { ...known.resource, accessTokenTtlSeconds: 90 },
  session: { ...known.session, grantedAt: addSeconds(now, -100) },
  identity: {
    ...known.identity,
    subjectId: 'subject' as SubjectId,
    authentication: { ...known.identity.authentication, ownFactor: { methods: ['otp'], provedAt: now } },
  },
  now,
}
const recordOf = (input: PolicyInput) => recordLogin(input, decide(policy, input))

test('a record of a login of which all is known says all of it', () => {
  const scope = (name: string, tier: string, isDefault: boolean) => ({ name, tier, isDefault })
  expect(recordOf(whole)).toMatchObject({
    at: now,
    identity: { subjectId: 'subject', groups: { state: 'known', value: ['staff'] }, ownFactor: { methods: ['otp'], provedAt: now } },
    deactivatesAt: addSeconds(now, 60),
    privilegedFrom: addSeconds(now, -70),
    client: {
      id: 'robot',
      host: 'robot.example',
      kind: 'dynamic',
      attested: true,
      scopeCeiling: ['orders:read'],
      accessTokenTtlSeconds: 80,
    },
    resource: {
      identifier: 'https://mcp.example',
      scopes: [scope('orders:read', 'read', true), scope('orders:refund', 'sensitive', false)],
      accessTokenTtlSeconds: 90,
    },
    request: { scopes: ['orders:read', 'orders:refund'], stepUpsDone: 1, address: '10.0.0.1', country: 'DE' },
    session: { startedAt: now, isOwn: false, grantedAt: addSeconds(now, -100) },
  })
})

test('what is not known is recorded as such, and is not known when it is read', () => {
  const { isOwn: _, ...session } = aSituation().session
  const bare: PolicyInput = { ...aSituation({ amr: [], groups: 'unknown', authenticatedSecondsAgo: 'unknown' }), session }
  const record = recordOf(bare)
  expect(record).toMatchObject({
    ...{ deactivatesAt: null, privilegedFrom: null, identity: { subjectId: null, ownFactor: null, sessionExpiresAt: null } },
    client: { host: null, attested: false, accessTokenTtlSeconds: null },
    resource: { accessTokenTtlSeconds: null },
    request: { address: null, country: null },
    session: { isOwn: false, grantedAt: null },
  })
  const described = bare.resource.scopes.map((scope) => ({ ...scope, description: '' }))
  expect(inputOfRecord(record)).toEqual({
    ...bare,
    privilegedFrom: undefined,
    client: { ...bare.client, attested: false },
    resource: { ...bare.resource, scopes: described },
    request: { ...bare.request, kind: 'new_grant' },
    session: { ...session, isOwn: false, grantedAt: undefined },
  })
})

test('a record that is decided anew is a new grant, also where it was something else', () => {
  expect(inputOfRecord(recordOf({ ...whole, request: { ...whole.request, kind: 'refresh' } })).request.kind).toBe('new_grant')
})

/** Every place in a value, with the value there. */
function placesIn(value: unknown, path: readonly string[] = []): readonly (readonly [readonly string[], unknown])[] {
  const inner = typeof value === 'object' && value !== null ? Object.entries(value) : []
  return [[path, value], ...inner.flatMap(([name, each]) => placesIn(each, [...path, name]))]
}
function withAt(value: unknown, [name, ...rest]: readonly string[], put: (there: unknown) => unknown): unknown {
  if (name === undefined) return put(value)
  const changed = Object.entries(value as object).map(([key, each]) => [key, key === name ? withAt(each, rest, put) : each] as const)
  return Array.isArray(value) ? changed.map(([, each]) => each) : Object.fromEntries(changed)
}

test('nothing is understood that has another shape than a record, at whatever place', () => {
  const record = recordOf(whole)
  const isUnderstood = (value: unknown): boolean => recordedLoginFromText(JSON.stringify(value)) !== undefined
  expect(isUnderstood(record)).toBe(true)
  const isFree = (path: readonly string[]) => path[0] === 'identity'
  for (const [path, value] of placesIn(record)) {
    if (isFree(path)) continue
    expect([path, isUnderstood(withAt(record, path, () => ({ strange: true })))]).toEqual([path, false])
    if (typeof value !== 'object' || value === null || Array.isArray(value)) continue
    expect([path, isUnderstood(withAt(record, path, (there) => ({ ...(there as object), more: 1 })))]).toEqual([path, false])
    for (const name of Object.keys(value))
      expect([path, name, isUnderstood(withAt(record, path, (there) => ({ ...(there as object), [name]: undefined })))]).toEqual([
        path,
        name,
        false,
      ])
  }
  const words: readonly (readonly [readonly string[], readonly string[]])[] = [
    [
      ['client', 'kind'],
      ['metadata_document', 'dynamic', 'preregistered'],
    ],
    [
      ['decision', 'kind'],
      ['allow', 'stepUp', 'deny'],
    ],
    [
      ['resource', 'scopes', '0', 'tier'],
      ['read', 'write', 'sensitive', 'admin'],
    ],
  ]
  for (const [path, possible] of words) {
    for (const word of possible) expect(isUnderstood(withAt(record, path, () => word))).toBe(true)
    expect(isUnderstood(withAt(record, path, () => 'other'))).toBe(false)
  }
  for (const path of [['at'], ['deactivatesAt'], ['session', 'startedAt'], ['request', 'stepUpsDone']])
    expect([path, isUnderstood(withAt(record, path, () => 1.5))]).toEqual([path, false])
})

test('the id of a record stays what it was: records are found by it that were written by another version', () => {
  expect(recordedLoginId('6f0e7d0a-0000-4000-8000-000000000000' as AuthorizationRequestId, 1)).toBe('aab9b35d-56fa-80fb-8663-c56908609e39')
})

test('what is kept of logins is bounded', () => {
  expect(recordedLoginLimits).toEqual({
    keptSeconds: traceLimits.keptSeconds,
    perTenant: 2_000,
    octets: 65_536,
    waiting: 1_000,
    perWrite: 100,
  })
})
