/** A grant of which nobody is asking for anything: what the policy leaves of it, and when that cannot be said without a request. */
import { expect, test } from 'vitest'
import { identityToJson } from '../identity/identity-json.js'
import { addSeconds, instant } from '../instant.js'
import { compilePolicy } from '../policy/compile.js'
import { readsOfRequest } from '../policy/reads-of-request.js'
import { type GrantEvidence, type RedecisionGround, redecideGrant, settleGrant } from './redecide-grant.js'

const now = instant(1_800_000_000_000)
const resource = {
  ...{ tenantId: 't', id: 'r', identifier: 'https://mcp.acme.example', name: 'documents', accessTokenTtlSeconds: undefined },
  scopes: ['read', 'write'].map((name) => ({ name, tier: name, description: '', isDefault: false })),
} as unknown as NonNullable<RedecisionGround['resource']>
const agent = {
  ...{ id: 'agent', kind: 'preregistered', redirectUris: ['http://127.0.0.1/callback'], authMethod: 'client_secret_basic' },
  ...{ scopeCeiling: ['read', 'write'], accessTokenTtlSeconds: undefined },
} as unknown as RedecisionGround['client']
const authentication = { acr: undefined, amr: [], authenticatedAt: now }
const ada = identityToJson({
  ...{ connectionId: 'c' as never, stableId: 'ada', subjectId: undefined, claims: new Map(), groups: { state: 'absent' } },
  ...{ authentication, sessionExpiresAt: undefined },
  idpSession: { sessionIndex: undefined, nameId: undefined, sid: undefined, subject: undefined },
})
const evidence: GrantEvidence = {
  scopes: ['read', 'write'],
  subjectClaims: ada,
  connectionId: undefined,
  directorySays: null,
  authentication,
  sessionStartedAt: now,
  deactivatesAt: undefined,
  factorsResetAt: undefined,
  createdAt: now,
}
const mappingOf = () => undefined

const compiled = (rules: string) => {
  const policy = compilePolicy(`version: 1\n${rules}\n`)
  if (!policy.ok) throw new Error(JSON.stringify(policy.error))
  return policy.value
}
const settled = (rules: string, grant: Partial<GrantEvidence> = {}, ground: Partial<RedecisionGround> = {}) => {
  const outcome = settleGrant(
    { policy: compiled(rules), domains: [], resource, client: agent, mappingOf, onUnclear: unheard, ...ground },
    { ...evidence, ...grant },
    now,
  )
  return outcome.kind === 'decided' ? outcome.left.scopes : outcome.kind
}

const unheard = () => undefined
const everybody = (scopes: string) => `rules: [{ name: all, effect: grant, scopes: [${scopes}], everyone: true }]`
const atOffice = (effect: string, scopes: string) =>
  `{ name: office, effect: ${effect}, scopes: [${scopes}], when: "request.address != '192.0.2.1'" }`

test.each([
  ['what is granted to everybody is left', everybody('read'), ['read']],
  ['nothing is left', 'rules: []', 'ended'],
  ['a rule needs an address that nobody has', `rules: [${atOffice('grant', 'write')}]`, 'deferred'],
  [
    'a deny holds while nobody asks',
    `rules: [{ name: a, effect: grant, scopes: [read, write], everyone: true }, ${atOffice('deny', 'write')}]`,
    'deferred',
  ],
  [
    'everything is left whatever the address',
    `rules: [{ name: a, effect: grant, scopes: [read, write], everyone: true }, ${atOffice('grant', 'write')}]`,
    ['read', 'write'],
  ],
] as const)('of a person’s grant: %s', (_says, rules, left) => {
  expect(settled(rules)).toEqual(left)
})

test('who was named by a trust has proved herself by it, and is of her own connection', () => {
  const proven = { authentication: { ...authentication, acr: 'gold' }, connectionId: 'trust' as never }
  const gold = (id: string) => `strength: [{ name: gold, connection: ${id}, acr: gold, means: multi_factor }]`
  const strong = (id: string) => settled(`${everybody('read')}\n${gold(id)}\nmfa: [{ name: strong, strength: multi_factor }]`, proven)
  expect([strong('c'), strong('trust')]).toEqual(['ended', ['read']])
  const hers = everybody('read').replace('everyone: true', `when: "subject.connection == 'c' && auth.connection == 'trust'"`)
  expect([settled(hers, proven), settled(hers)]).toEqual([['read'], 'ended'])
})

test('the end that a directory names binds what is decided again, and what is privileged waits after a reset', () => {
  const left = (given: Partial<GrantEvidence>, scope = 'read') => {
    const { policy, ...ground } = {
      policy: compiled(everybody(`read, ${scope}`)),
      domains: [],
      mappingOf,
      resource,
      client: { ...agent, scopeCeiling: [] },
      onUnclear: unheard,
    }
    const tiers = [...resource.scopes, { ...resource.scopes[0], name: 'admin', tier: 'admin' }] as typeof resource.scopes
    const held = { ...evidence, scopes: ['read', scope], ...given }
    return redecideGrant({ policy, ...ground, resource: { ...resource, scopes: tiers } }, held, { address: undefined, now })
  }
  expect(left({ deactivatesAt: addSeconds(now, 90) })).toMatchObject({
    ...{ accessTokenTtlSeconds: 90, refreshTtlSeconds: 90, refreshEndsAt: addSeconds(now, 90), expiresAt: addSeconds(now, 90) },
    ceilings: { accessToken: { by: 'deactivation' }, refreshToken: { by: 'deactivation' } },
  })
  expect(left({ deactivatesAt: now })).toBeUndefined()
  expect(left({ factorsResetAt: addSeconds(now, -86_399) }, 'admin')?.scopes).toEqual(['read'])
  expect(left({ factorsResetAt: addSeconds(now, -86_400) }, 'admin')?.scopes).toEqual(['read', 'admin'])
})

test('what cannot be read, or is for a resource that is minted for no longer, ends, whatever the policy reads', () => {
  expect(settled(everybody('read'), { subjectClaims: null })).toBe('ended')
  expect(settled(`rules: [${atOffice('grant', 'write')}]`, {}, { resource: undefined })).toBe('ended')
})

test('a client in its own name keeps what it may have, for as long as a token of it may live from the beginning', () => {
  expect(settled('rules: []', { subjectClaims: undefined })).toEqual(['read', 'write'])
  const denied = 'rules: [{ name: no, effect: deny, scopes: [write], everyone: true }]'
  expect(settled(denied, { subjectClaims: undefined })).toEqual(['read'])
  expect(settled(denied, { subjectClaims: undefined }, { client: { ...agent, scopeCeiling: [] } })).toBe('ended')
  const outcome = settleGrant(
    { policy: compiled('rules: []'), domains: [], resource, client: agent, mappingOf, onUnclear: unheard },
    { ...evidence, subjectClaims: undefined },
    addSeconds(now, 100),
  )
  expect(outcome).toMatchObject({
    kind: 'decided',
    left: {
      refreshTtlSeconds: undefined,
      expiresAt: addSeconds(now, 900),
      ceilings: { accessToken: { seconds: 900 }, refreshToken: null },
    },
  })
})

test.each([
  ['rules: []', false],
  ['rules: [{ name: a, effect: deny, scopes: ["*"], when: "request.time.getHours() > 20" }]', false],
  ['rules: [{ name: a, effect: deny, scopes: ["*"], when: "request.country != \'CH\'" }]', true],
  ['clients: [{ name: a, accessTokenSeconds: 60, when: "request.address == \'192.0.2.1\'" }]', true],
  ['mfa: [{ name: a, strength: multi_factor, when: "has(request.address)" }]', true],
  ['claims: { inside: { type: boolean, from: "request.address == \'192.0.2.1\'" } }', true],
])('whether a policy reads where a request comes from: %s', (rules, reads) => {
  expect(readsOfRequest(compiled(rules))).toBe(reads)
})

test('rules that nobody can judge are told, whatever is left, of people and of clients in their own name', () => {
  const heard = (rules: string, grant: Partial<GrantEvidence> = {}): readonly number[] => {
    const told: number[] = []
    settled(rules, grant, { onUnclear: (count) => told.push(count) })
    return told
  }
  const deny = (scopes: string) =>
    `${everybody('read, write').slice(0, -1)}, { name: d, effect: deny, scopes: [${scopes}], when: "claims.title == 'x'" }]`
  expect([heard(everybody('read')), heard(deny('write')), heard(deny('"*"'))]).toEqual([[], [1], [1]])
  const abroad = 'clients: [{ name: c, when: "request.country == \'CH\'", refuse: true }]'
  expect(heard(`${deny('"*"')}\n${abroad}`, { subjectClaims: undefined })).toEqual([1])
  expect(heard(deny('"*"'), { subjectClaims: undefined })).toEqual([])
})
