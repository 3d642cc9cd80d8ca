import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Known, NormalizedIdentity } from '../identity/normalized-identity.js'
import { addSeconds, type Instant, instant } from '../instant.js'
import type { ClientId, ConnectionId, ResourceIdentifier, Scope } from '../tenant/ids.js'
import { type CompiledPolicy, compilePolicy, safeDefaultPolicy } from './compile.js'
import { decide, type PolicyInput } from './decide.js'
import { explanationLimits, type PolicyDecision, type SensitivityTier } from './decision.js'
import { aSituation } from './fixtures/a-situation.js'

const now = instant(1_800_000_000_000)
const tiers: Readonly<Record<string, SensitivityTier>> = {
  'orders:read': 'read',
  'orders:write': 'write',
  'orders:refund': 'sensitive',
  'orders:admin': 'admin',
}
const scopeNames = Object.keys(tiers) as Scope[]

const policyOf = (text: string): CompiledPolicy => {
  const compiled = compilePolicy(`version: 1\n${text}`, { version: 7 })
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.error))
  return compiled.value
}

type Given = {
  readonly groups?: Known<readonly string[]>
  readonly amr?: readonly string[]
  readonly acr?: string
  readonly authenticatedAt?: Instant
  readonly sessionExpiresAt?: Instant
  readonly scopes?: readonly string[]
  readonly ceiling?: readonly string[]
  readonly stepUpsDone?: number
  readonly startedAt?: Instant
  readonly clientSeconds?: number
  readonly resourceSeconds?: number
  readonly claims?: ReadonlyMap<string, string>
  readonly kind?: 'new_grant' | 'refresh'
}

const anInput = (given: Given = {}): PolicyInput => ({
  identity: {
    connectionId: 'c' as ConnectionId,
    stableId: 'ada',
    subjectId: undefined,
    claims: given.claims ?? new Map(),
    groups: given.groups ?? { state: 'known', value: ['engineering'] },
    authentication: { acr: given.acr, amr: given.amr ?? ['pwd'], authenticatedAt: given.authenticatedAt ?? now },
    sessionExpiresAt: given.sessionExpiresAt,
    idpSession: { sessionIndex: undefined, nameId: undefined, sid: undefined, subject: undefined },
  } satisfies NormalizedIdentity,
  client: {
    id: 'agent' as ClientId,
    host: 'agent.example',
    kind: 'metadata_document',
    scopeCeiling: (given.ceiling ?? []) as Scope[],
    accessTokenTtlSeconds: given.clientSeconds,
  },
  resource: {
    identifier: 'https://mcp.example' as ResourceIdentifier,
    scopes: scopeNames.map((name) => ({
      name,
      tier: tiers[name] as SensitivityTier,
      description: name,
      isDefault: name === 'orders:read',
    })),
    accessTokenTtlSeconds: given.resourceSeconds,
  },
  request: {
    scopes: (given.scopes ?? scopeNames) as Scope[],
    stepUpsDone: given.stepUpsDone ?? 0,
    ...(given.kind === undefined ? {} : { kind: given.kind }),
  },
  session: { startedAt: given.startedAt ?? now, isOwn: true },
  now,
})

const grantedOf = (decision: PolicyDecision): readonly string[] => (decision.kind === 'allow' ? decision.scopes : [])
const everything = 'rules: [{ name: all, effect: grant, scopes: ["orders:*"], everyone: true }]'

describe('scopes', () => {
  test.each([
    { when: 'there is no policy', text: '', given: {}, granted: [] },
    {
      when: 'a bundle matches a group',
      text: 'bundles: [{ name: eng, groups: [engineering], scopes: ["orders:read", "orders:write"] }]',
      given: {},
      granted: ['orders:read', 'orders:write'],
    },
    { when: 'no scope is asked for, so the default counts', text: everything, given: { scopes: [] }, granted: ['orders:read'] },
    { when: 'the client has a ceiling', text: everything, given: { ceiling: ['orders:read'] }, granted: ['orders:read'] },
    {
      when: 'a scope is not of the resource',
      text: 'rules: [{ name: all, effect: grant, scopes: ["*"], everyone: true }]',
      given: { scopes: ['orders:read', 'files:read'] },
      granted: ['orders:read'],
    },
    {
      when: 'a deny and a grant meet',
      text: `${everything.slice(0, -1)}, { name: no, effect: deny, scopes: ["*:refund"], groups: [engineering] }]`,
      given: {},
      granted: ['orders:read', 'orders:write', 'orders:admin'],
    },
    {
      when: 'a rule is for another resource',
      text: 'rules: [{ name: all, effect: grant, scopes: ["*"], everyone: true, resource: "https://other.example" }]',
      given: {},
      granted: [],
    },
    {
      when: 'groups are unknown: the grant is not given',
      text: 'bundles: [{ name: eng, groups: [engineering], scopes: ["*"] }]',
      given: { groups: { state: 'unknown' } },
      granted: [],
    },
    {
      when: 'groups are unknown: the deny holds',
      text: `${everything.slice(0, -1)}, { name: no, effect: deny, scopes: ["orders:write", "orders:refund", "orders:admin"], groups: [contractors] }]`,
      given: { groups: { state: 'unknown' } },
      granted: ['orders:read'],
    },
    {
      when: 'groups are known to be absent: the deny by group does not hold',
      text: `${everything.slice(0, -1)}, { name: no, effect: deny, scopes: ["orders:admin"], groups: [contractors] }]`,
      given: { groups: { state: 'absent' } },
      granted: scopeNames,
    },
    {
      when: 'a grant reads an absent claim',
      text: `rules: [{ name: d, effect: grant, scopes: ["*"], when: "claims.department != 'sales'" }]`,
      given: {},
      granted: [],
    },
    {
      when: 'a deny reads an absent claim',
      text: `${everything.slice(0, -1)}, { name: no, effect: deny, scopes: ["orders:admin"], when: "claims.department == 'sales'" }]`,
      given: {},
      granted: ['orders:read', 'orders:write', 'orders:refund'],
    },
  ] as { when: string; text: string; given: Given; granted: string[] }[])('when $when', ({ text, given, granted }) => {
    expect(grantedOf(decide(policyOf(text), anInput(given)))).toEqual(granted)
  })

  test('a tenant without a policy grants nothing and says so', () => {
    expect(decide(safeDefaultPolicy, anInput())).toMatchObject({
      kind: 'deny',
      reason: 'nothing_granted',
      explanation: { policyVersion: 0 },
    })
  })

  test('the explanation names rule and line', () => {
    const decision = decide(policyOf('bundles:\n  - name: eng\n    groups: [engineering]\n    scopes: ["orders:read"]'), anInput())
    expect(decision.explanation.scopes[0]).toMatchObject({ granted: true, because: 'granted by rule eng (line 3)', rule: 'eng' })
    expect(decision.explanation.scopes[3]).toMatchObject({ granted: false, because: 'no rule grants it', tier: 'admin' })
  })
})

describe('lifetimes', () => {
  test.each([
    { when: 'read alone', given: { scopes: ['orders:read'] }, access: [1800, 'tier'], refresh: [28800, 'tier'] },
    {
      when: 'the strictest tier wins',
      given: { scopes: ['orders:read', 'orders:refund'] },
      access: [600, 'tier'],
      refresh: [3600, 'tier'],
    },
    { when: 'admin has no refresh token', given: { scopes: ['orders:read', 'orders:admin'] }, access: [300, 'tier'], refresh: undefined },
    {
      when: 'the resource asks for less',
      given: { scopes: ['orders:read'], resourceSeconds: 120 },
      access: [120, 'resource'],
      refresh: [28800, 'tier'],
    },
    {
      when: 'the client asks for less',
      given: { scopes: ['orders:read'], clientSeconds: 60 },
      access: [60, 'client'],
      refresh: [28800, 'tier'],
    },
    {
      when: 'the IdP ends its session',
      given: { scopes: ['orders:read'], sessionExpiresAt: addSeconds(now, 45) },
      access: [45, 'idp_session'],
      refresh: [45, 'idp_session'],
    },
    {
      when: 'our session is nearly over',
      given: { scopes: ['orders:read'], startedAt: addSeconds(now, -12 * 3600 + 30), kind: 'refresh' },
      access: [30, 'session_absolute'],
      refresh: [30, 'session_absolute'],
    },
  ] as { when: string; given: Given; access: [number, string]; refresh: [number, string] | undefined }[])(
    '$when',
    ({ given, access, refresh }) => {
      const decision = decide(policyOf(everything), anInput(given))
      if (decision.kind !== 'allow') throw new Error(decision.kind)
      expect([decision.accessTokenTtl.seconds, decision.accessTokenTtl.by]).toEqual(access)
      expect(decision.refreshTokenTtl && [decision.refreshTokenTtl.seconds, decision.refreshTokenTtl.by]).toEqual(refresh)
    },
  )

  test.each([
    [
      'session: { authenticationMaxAgeSeconds: 1000 }',
      { authenticatedSecondsAgo: 900 },
      [100, 'authentication_age'],
      [100, 'authentication_age'],
    ],
    ['session: { reconsentSeconds: 500 }', {}, [500, 'reconsent'], [500, 'reconsent']],
    ['', { deactivatesInSeconds: 40 }, [40, 'deactivation'], [40, 'deactivation']],
    ['session: { idleSeconds: 70 }', {}, [1800, 'tier'], [70, 'session_idle']],
    ['clients: [{ name: c, refreshTokenSeconds: 60 }]', {}, [1800, 'tier'], [60, 'client_rule']],
    ['clients: [{ name: c, refreshTokenSeconds: 1861 }]', {}, [1800, 'tier'], [1861, 'client_rule']],
    ['clients: [{ name: c, refreshTokenSeconds: none }]', {}, [1800, 'tier'], undefined],
    [
      'clients: [{ name: c, accessTokenSeconds: 60, clients: { hosts: [other.example] } }]',
      { client: { host: 'agent.example' } },
      [1800, 'tier'],
      [28_800, 'tier'],
    ],
    [
      'clients: [{ name: c, accessTokenSeconds: 60, clients: { hosts: [Agent.example] } }]',
      { client: { host: 'agent.example' } },
      [60, 'client_rule'],
      [28_800, 'tier'],
    ],
    ['clients: [{ name: c, accessTokenSeconds: 60, clients: { hosts: ["*.example"] } }]', {}, [60, 'client_rule'], [28_800, 'tier']],
  ] as const)('%s for %j', (text, given, access, refresh) => {
    const decision = decide(policyOf(`${everything}\n${text}`), aSituation({ ...given, request: ['orders:read'] }))
    if (decision.kind !== 'allow') throw new Error(decision.kind)
    expect([decision.accessTokenTtl.seconds, decision.accessTokenTtl.by]).toEqual(access)
    expect(decision.refreshTokenTtl && [decision.refreshTokenTtl.seconds, decision.refreshTokenTtl.by]).toEqual(refresh)
    // The limit of refresh tokens ends the grant, however often they rotate, but not before its first access token; idleness does not.
    const least = text.includes('refreshTokenSeconds') ? 1860 : 0
    const first = text.includes('idleSeconds') ? 28_800 : Math.max(refresh?.[0] ?? 0, least)
    expect(decision.endsAt).toBe(addSeconds(instant(Date.parse('2026-11-23T10:00:00Z')), first))
  })

  test('nobody can show how much of an unknown age is left', () => {
    const policy = policyOf(`${everything}\nsession: { authenticationMaxAgeSeconds: 1000 }`)
    const outcome = (stepUpsDone: number) =>
      decide(policy, aSituation({ authenticatedSecondsAgo: 'unknown', request: ['orders:read'], stepUpsDone }))
    expect(outcome(0)).toMatchObject({ kind: 'stepUp', demand: 'fresh' })
    expect(outcome(1)).toMatchObject({
      reason: 'session_ended',
      missing: expect.stringContaining('the IdP does not say when that was'),
    })
  })

  test('an account that the directory has ended is given nothing', () => {
    expect(decide(policyOf(everything), aSituation({ deactivatesInSeconds: 0 }))).toMatchObject({
      kind: 'deny',
      reason: 'subject_deactivated',
    })
  })

  test('a tightened tier is named as the tenant’s', () => {
    const decision = decide(
      policyOf(`${everything}\nlimits: { read: { accessTokenSeconds: 60, refreshTokenSeconds: none } }`),
      anInput({ scopes: ['orders:read'] }),
    )
    expect(decision).toMatchObject({ kind: 'allow', accessTokenTtl: { seconds: 60, by: 'tenant' }, refreshTokenTtl: undefined })
  })
})

describe('MFA', () => {
  const demanding = policyOf(`${everything}\nmfa: [{ name: strong, tiers: [sensitive, admin], freshSeconds: 300 }]`)
  test.each([
    { when: 'no scope of a demanding tier', given: { scopes: ['orders:read'] }, outcome: 'allow' },
    { when: 'methods of two categories', given: { amr: ['pwd', 'otp'] }, outcome: 'allow' },
    { when: 'REFEDS MFA', given: { amr: [], acr: 'https://refeds.org/profile/mfa' }, outcome: 'allow' },
    { when: 'two methods of one category', given: { amr: ['pwd', 'pin'] }, outcome: 'stepUp' },
    { when: 'no evidence at all', given: { amr: [] }, outcome: 'stepUp' },
    { when: 'an unknown class reference', given: { amr: [], acr: 'very-strong' }, outcome: 'stepUp' },
    { when: 'already stepped up once', given: { stepUpsDone: 1 }, outcome: 'mfa_missing' },
    { when: 'the proof is stale', given: { amr: ['mfa'], authenticatedAt: addSeconds(now, -301) }, outcome: 'stepUp' },
    {
      when: 'the proof is stale, but this is a refresh',
      given: { amr: ['mfa'], authenticatedAt: addSeconds(now, -301), kind: 'refresh' },
      outcome: 'allow',
    },
  ] as { when: string; given: Given; outcome: string }[])('$outcome when $when', ({ given, outcome }) => {
    const decision = decide(demanding, anInput(given))
    expect(decision.kind === 'deny' ? decision.reason : decision.kind).toBe(outcome)
    if (decision.kind !== 'allow') expect(decision.explanation.scopes.some((scope) => scope.granted)).toBe(false)
  })

  test('an explanation names only so many conditions that nobody can judge, and counts them all', () => {
    const many = Array.from({ length: 80 }, (_, n) => `{ name: r${n}, effect: grant, scopes: ["*"], when: "claims.department == 'x'" }`)
    const { explanation } = decide(policyOf(`rules: [${many.join(', ')}]`), anInput())
    expect([explanation.notes.length, explanation.unclear]).toEqual([explanationLimits.notes, 80])
  })
  test('a demand whose condition is unclear stands', () => {
    const unclear = policyOf(`${everything}\nmfa: [{ name: strong, when: "claims.department == 'finance'" }]`)
    expect(decide(unclear, anInput()).kind).toBe('stepUp')
    expect(decide(unclear, anInput({ claims: new Map([['department', 'sales']]) })).kind).toBe('allow')
  })
})

describe('for every policy', () => {
  const patterns = fc.subarray([...scopeNames, 'orders:*', '*', '*:read'], { minLength: 1 })
  const groupNames = fc.subarray(['engineering', 'staff', 'contractors'], { minLength: 1 })
  const condition = fc.constantFrom(
    undefined,
    "'staff' in groups",
    "claims.department == 'finance'",
    "auth.strength == 'multi_factor'",
    "client.host.endsWith('.example')",
    'auth.ageSeconds < 60',
  )
  const rule = fc.record({
    effect: fc.constantFrom('grant', 'deny'),
    scopes: patterns,
    groups: fc.option(groupNames, { nil: undefined }),
    when: condition,
  })
  type Rule = { effect: string; scopes: string[]; groups: string[] | undefined; when: string | undefined }
  const compileRules = (rules: readonly (Rule & { name: string })[], rest: object = {}): CompiledPolicy => {
    const compiled = compilePolicy(JSON.stringify({ version: 1, rules: rules.map((entry) => ({ everyone: true, ...entry })), ...rest }))
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.error))
    return compiled.value
  }
  const named = fc.array(rule, { maxLength: 6 }).map((rules) => rules.map((entry, index) => ({ ...entry, name: `r${index}` })))
  const given: fc.Arbitrary<Given> = fc.record({
    groups: fc.oneof(
      groupNames.map((value) => ({ state: 'known' as const, value })),
      fc.constant({ state: 'unknown' as const }),
      fc.constant({ state: 'absent' as const }),
    ),
    amr: fc.subarray(['pwd', 'otp', 'hwk', 'pin']),
    claims: fc.constantFrom(new Map<string, string>(), new Map([['department', 'finance']]), new Map([['department', 'sales']])),
    scopes: fc.subarray(scopeNames),
    ceiling: fc.subarray(scopeNames),
  })

  test('a deny never adds a scope', () => {
    fc.assert(
      fc.property(named, rule, given, (rules, extra, situation) => {
        const before = grantedOf(decide(compileRules(rules), anInput(situation)))
        const after = grantedOf(decide(compileRules([...rules, { ...extra, effect: 'deny', name: 'extra' }]), anInput(situation)))
        return after.every((scope) => before.includes(scope))
      }),
    )
  })

  test('the order of rules never matters', () => {
    fc.assert(
      fc.property(
        named.chain((rules) => fc.tuple(fc.constant(rules), fc.shuffledSubarray(rules, { minLength: rules.length }))),
        given,
        (pair, situation) => {
          const [one, other] = pair.map((rules) => decide(compileRules(rules), anInput(situation))) as [PolicyDecision, PolicyDecision]
          expect({ ...one, explanation: undefined }).toEqual({ ...other, explanation: undefined })
          const plain = (decision: PolicyDecision) =>
            decision.explanation.scopes.map(({ scope, granted, rule: name }) => ({ scope, granted, name }))
          expect(plain(one)).toEqual(plain(other))
        },
      ),
    )
  })

  test('tightening a limit never lengthens a lifetime', () => {
    fc.assert(
      fc.property(named, given, fc.integer({ min: 1, max: 300 }), (rules, situation, seconds) => {
        const loose = decide(compileRules(rules), anInput(situation))
        const limits = { read: { accessTokenSeconds: seconds }, write: { accessTokenSeconds: seconds, refreshTokenSeconds: seconds } }
        const tight = decide(compileRules(rules, { limits, session: { idleSeconds: seconds } }), anInput(situation))
        if (loose.kind !== 'allow' || tight.kind !== 'allow') return loose.kind === tight.kind
        return (
          tight.accessTokenTtl.seconds <= loose.accessTokenTtl.seconds &&
          (tight.refreshTokenTtl?.seconds ?? 0) <= (loose.refreshTokenTtl?.seconds ?? 0) &&
          tight.endsAt <= loose.endsAt
        )
      }),
    )
  })

  test('explanation and decision agree, and nothing leaves request, ceiling and resource', () => {
    fc.assert(
      fc.property(named, given, fc.boolean(), (rules, situation, demand) => {
        const decision = decide(compileRules(rules, demand ? { mfa: [{ tiers: ['write'] }] } : {}), anInput(situation))
        expect(decision.explanation.scopes.filter((scope) => scope.granted).map((scope) => scope.scope)).toEqual(grantedOf(decision))
        const asked = (situation.scopes ?? []).length === 0 ? ['orders:read'] : situation.scopes
        for (const scope of grantedOf(decision)) {
          expect(asked).toContain(scope)
          if ((situation.ceiling ?? []).length > 0) expect(situation.ceiling).toContain(scope)
        }
      }),
    )
  })
})
