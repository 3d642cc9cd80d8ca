import { describe, expect, test } from '@jest/globals'
import { instant } from '../instant.js'
import { decideOwnAccess } from '../oauth/client-credentials.js'
import type { ClientId, Scope } from '../tenant/ids.js'
import { aPolicy, aWall, orders } from './fixtures/a-situation.js'

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

  test('gets all of what it asks for or nothing', () => {
    const denying = 'rules: [{ name: n, effect: deny, scopes: ["*:write"], everyone: true }]'
    expect(accessUnder(denying, {}, ['orders:read'])).toEqual([['orders:read'], 1800, 'tier'])
    expect(accessUnder(denying, {}, ['orders:read', 'orders:write'])).toBe('scope_widened')
  })

  test.each([
    ['that nobody registered by hand', { ...client, kind: 'dynamic' }],
    ['that proves nothing', { ...client, authMethod: 'none' }],
  ] as const)('one %s is not served', (_, other) => {
    const asked = { scopes: undefined, resource: orders, policy: aPolicy('') }
    expect(decideOwnAccess(other, asked, now)).toEqual({ ok: false, error: 'grant_type_not_for_client' })
  })
})
