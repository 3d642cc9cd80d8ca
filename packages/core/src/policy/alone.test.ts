import { describe, expect, test } from 'vitest'
import { instant } from '../instant.js'
import { decideOwnAccess } from '../oauth/client-credentials.js'
import type { ClientId, Scope } from '../tenant/ids.js'
import { lifetimeAlone, scopesLeftAlone } from './alone.js'
import { aPolicy, aSituation, aWall, orders } from './fixtures/a-situation.js'

const now = instant(Date.parse('2026-11-27T10:00:00Z')) // a Friday
const client = {
  id: 'robot' as ClientId,
  kind: 'preregistered',
  authMethod: 'client_secret_basic',
  redirectUris: [],
  scopeCeiling: ['orders:read', 'orders:write'] as string[] as Scope[],
  accessTokenTtlSeconds: undefined,
} as const
const accessUnder = (text: string, options = {}, asked?: readonly string[]) => {
  const access = decideOwnAccess(
    client,
    { scopes: asked as readonly Scope[] | undefined, resource: orders, policy: aPolicy(text, options) },
    now,
  )
  return access.ok ? [access.value.scopes, access.value.accessTokenTtl.seconds, access.value.accessTokenTtl.by] : access.error
}

describe('a client in its own name', () => {
  test.each([
    ['has what an admin gave it, whatever rules grant to people', '', [['orders:read', 'orders:write'], 900, 'tier']],
    [
      'keeps it when rules deny to some people',
      'rules: [{ name: n, effect: deny, scopes: ["*"], groups: [g] }]',
      [['orders:read', 'orders:write'], 900, 'tier'],
    ],
    [
      'keeps it when a deny reads a claim',
      `rules: [{ name: n, effect: deny, scopes: ["*"], when: "claims.title == 'x'" }]`,
      [['orders:read', 'orders:write'], 900, 'tier'],
    ],
    [
      'loses what is denied to everyone',
      'rules: [{ name: n, effect: deny, scopes: ["*:write"], everyone: true }]',
      [['orders:read'], 1800, 'tier'],
    ],
    [
      'loses what is denied at this time',
      'rules: [{ name: n, effect: deny, scopes: ["*:write"], when: "request.time.getDayOfWeek() == 5" }]',
      [['orders:read'], 1800, 'tier'],
    ],
    [
      'loses what is denied at this resource',
      'rules: [{ name: n, effect: deny, scopes: ["*:write"], everyone: true, resource: "https://mcp.example" }]',
      [['orders:read'], 1800, 'tier'],
    ],
    [
      'keeps what is denied at another',
      'rules: [{ name: n, effect: deny, scopes: ["*:write"], everyone: true, resource: "https://x.example" }]',
      [['orders:read', 'orders:write'], 900, 'tier'],
    ],
    [
      'is held to rules for clients',
      'clients: [{ name: c, clients: { ids: [robot] }, scopes: ["*:read"], accessTokenSeconds: 60 }]',
      [['orders:read'], 60, 'client_rule'],
    ],
    ['may be refused by them', 'clients: [{ name: c, clients: { kinds: [preregistered] }, refuse: true }]', 'scope_widened'],
    [
      'is limited where their condition speaks of a person',
      `clients: [{ name: c, when: "claims.title == 'x'", accessTokenSeconds: 60 }]`,
      [['orders:read', 'orders:write'], 60, 'client_rule'],
    ],
    [
      'is limited where their condition asks for a group, which it neither has nor lacks',
      `clients: [{ name: c, when: "'trusted' in groups", accessTokenSeconds: 60 }]`,
      [['orders:read', 'orders:write'], 60, 'client_rule'],
    ],
    [
      'is limited where their condition asks whether there is a claim',
      'clients: [{ name: c, when: "has(claims.title)", accessTokenSeconds: 60 }]',
      [['orders:read', 'orders:write'], 60, 'client_rule'],
    ],
    [
      'loses what is denied to it by name, whatever else the deny speaks of',
      `rules: [{ name: n, effect: deny, scopes: ["*:write"], when: "client.id == 'robot' || claims.title == 'x'" }]`,
      [['orders:read'], 1800, 'tier'],
    ],
    [
      'keeps what is denied to whoever is in no group',
      `rules: [{ name: n, effect: deny, scopes: ["*"], when: "!('staff' in groups) || !has(claims.title)" }]`,
      [['orders:read', 'orders:write'], 900, 'tier'],
    ],
    ['has no age of a sign-in', 'session: { authenticationMaxAgeSeconds: 1000 }', [['orders:read', 'orders:write'], 900, 'tier']],
  ] as const)('%s', (_, text, expected) => {
    expect(accessUnder(text)).toEqual(expected)
  })

  test('is inside the vendor’s wall', () => {
    const wall = aWall('rules: [{ name: n, effect: deny, scopes: ["*:write"], everyone: true }]')
    expect(accessUnder('', { wall })).toEqual([['orders:read'], 1800, 'tier'])
  })

  test('gets of what it asks for what it may have, and is refused where that is nothing', () => {
    const denying = 'rules: [{ name: n, effect: deny, scopes: ["*:write"], everyone: true }]'
    expect(accessUnder(denying, {}, ['orders:read'])).toEqual([['orders:read'], 1800, 'tier'])
    expect(accessUnder(denying, {}, ['orders:read', 'orders:write'])).toEqual([['orders:read'], 1800, 'tier'])
    expect(accessUnder(denying, {}, ['orders:write'])).toBe('scope_widened')
  })

  test.each([
    ['that nobody registered by hand', { ...client, kind: 'dynamic' }],
    ['that proves nothing', { ...client, authMethod: 'none' }],
  ] as const)('one %s is not served', (_, other) => {
    const asked = { scopes: undefined, resource: orders, policy: aPolicy('') }
    expect(decideOwnAccess(other, asked, now)).toEqual({ ok: false, error: 'grant_type_not_for_client' })
  })
})

describe('of a client in its own name', () => {
  const alone = {
    client: { ...aSituation().client, id: 'robot' as ClientId, scopeCeiling: [] },
    resource: orders,
    scopes: orders.scopes.slice(0, 2),
    now,
  }
  const left = (text: string, more: object = {}): readonly string[] =>
    scopesLeftAlone(aPolicy(text), { ...alone, ...more }).scopes.map(({ name }) => name)
  const deny = (when: string): string => `rules: [{ name: n, effect: deny, scopes: ["*"], when: "${when}" }]`
  const all = ['orders:read', 'orders:write']

  test.each([
    ['from where it asks', "request.address == '192.0.2.1'", { address: '192.0.2.1' }, []],
    ['from elsewhere', "request.address == '192.0.2.1'", { address: '192.0.2.2' }, all],
    ['from nobody knows where', "request.address == '192.0.2.1'", {}, []],
    ['of a country', "request.country == 'AT'", { country: 'AT' }, []],
    ['of another', "request.country == 'AT'", { country: 'CH' }, all],
    ['what it may have', "'orders:write' in request.scopes", {}, []],
    ['who it is', "client.id == 'robot'", {}, []],
    ['where it goes', "resource == 'https://mcp.example'", {}, []],
    ['a person', "subject.id == 'a'", {}, all],
    ['how somebody signed in', "auth.acr == 'a'", {}, all],
    ['who it is and a person', "client.id == 'robot' && claims.title == 'x'", {}, all],
    ['how somebody signed in, or what holds for everybody', "auth.acr == 'a' || client.id == 'robot'", {}, []],
  ] as const)('a deny that reads %s', (_, when, more, scopes) => {
    expect(left(deny(when), more)).toEqual(scopes)
  })

  test('a grant takes nothing, and a rule for clients of which one scope is left takes the other', () => {
    expect(left('rules: [{ name: n, effect: grant, scopes: ["orders:read"], everyone: true }]')).toEqual(all)
    expect(left('clients: [{ name: c, scopes: ["orders:read"] }]')).toEqual(['orders:read'])
    expect(left('clients: [{ name: c, clients: { ids: [other] }, refuse: true }]')).toEqual(all)
    expect(left('clients: [{ name: c, accessTokenSeconds: 5 }]')).toEqual(all)
  })

  test.each([
    ['the strictest tier', '', {}, [900, 'tier']],
    ['a rule for this client', 'clients: [{ name: c, clients: { ids: [robot] }, accessTokenSeconds: 60 }]', {}, [60, 'client_rule']],
    ['no rule for another', 'clients: [{ name: c, clients: { ids: [other] }, accessTokenSeconds: 60 }]', {}, [900, 'tier']],
    ['its own limit', '', { client: { ...alone.client, accessTokenTtlSeconds: 70 } }, [70, 'client']],
    ['a session that begins with the request', 'session: { absoluteSeconds: 50 }', {}, [50, 'session_absolute']],
    ['the limit of the resource', '', { resource: { ...orders, accessTokenTtlSeconds: 80 } }, [80, 'resource']],
    [
      'no age of a sign-in that it never had, but that of this request',
      'session: { authenticationMaxAgeSeconds: 90 }',
      {},
      [90, 'authentication_age'],
    ],
  ] as const)('an access token lives by %s', (_, text, more, [seconds, by]) => {
    expect(lifetimeAlone(aPolicy(text), { ...alone, ...more })).toMatchObject({ seconds, by })
  })
})
