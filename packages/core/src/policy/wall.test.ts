import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compilePolicy, compileWall, safeDefault } from './compile.js'
import { decide } from './decide.js'
import { policyLimits } from './error.js'
import { explain } from './explain.js'
import { aPolicy, aSituation, aWall, orders } from './fixtures/a-situation.js'
import { compilePublishedWall } from './published-policy.js'

const everything = 'rules: [{ name: all, effect: grant, scopes: ["*"], everyone: true }]'
const reasonsOf = (text: string): readonly string[] => {
  const compiled = compileWall(`version: 1\n${text}`)
  return compiled.ok ? [] : compiled.error.map(({ reason }) => reason)
}

describe('a wall is refused that', () => {
  test.each([
    ['grants', everything, 'wall_grants'],
    ['says when claims of a tenant count', 'claimChanges: now', 'tenant_only'],
    ['has bundles', 'bundles: [{ name: b, groups: [a], scopes: ["*"] }]', 'wall_grants'],
  ])('%s', (_, text, reason) => {
    expect(reasonsOf(text)).toEqual([reason])
  })

  test('and a tenant cannot accept its own strength for the vendor', () => {
    const compiled = compilePolicy('version: 1\nacceptsStrengthOf: [c]')
    expect(compiled).toMatchObject({ ok: false, error: [{ reason: 'wall_only' }] })
  })
})

describe('inside the wall', () => {
  test('a deny of the vendor holds against every grant, and is named as the vendor’s', () => {
    const wall = aWall('rules: [{ name: no-admin, effect: deny, scopes: ["*:admin"], everyone: true }]')
    const decision = decide(aPolicy(everything, { wall }), aSituation())
    expect(decision).toMatchObject({ kind: 'allow', scopes: ['orders:read', 'orders:write', 'orders:refund'] })
    expect(decision.explanation.scopes[3]).toMatchObject({ granted: false, because: "denied by the vendor's rule no-admin (line 2)" })
  })

  test('its numbers are the outermost: looser ones are refused at save, and held to when the wall came later', () => {
    const wall = aWall(
      'limits: { read: { accessTokenSeconds: 60, refreshTokenSeconds: none } }\nsession: { idleSeconds: 600, reconsentSeconds: 300 }',
    )
    const looser = 'version: 1\nlimits: { read: { accessTokenSeconds: 61, refreshTokenSeconds: 60 } }\nsession: { reconsentSeconds: 301 }'
    const compiled = compilePolicy(looser, { wall })
    expect(compiled.ok ? [] : compiled.error.map(({ reason, path }) => [reason, path])).toEqual([
      ['limit_loosened', 'limits.read.accessTokenSeconds'],
      ['limit_loosened', 'limits.read.refreshTokenSeconds'],
      ['limit_loosened', 'session.reconsentSeconds'],
    ])
    expect(decide(aPolicy(everything, { wall }), aSituation({ request: ['orders:read'] }))).toMatchObject({
      accessTokenTtl: { seconds: 60, by: 'tier' },
      refreshTokenTtl: undefined,
    })
  })

  test('the vendor may set its own table, looser too, and tenants tighten that', () => {
    const wall = aWall('limits: { write: { accessTokenSeconds: 1200 } }')
    const policy = aPolicy(`${everything}\nlimits: { write: { accessTokenSeconds: 1100 } }`, { wall })
    expect(decide(policy, aSituation({ request: ['orders:write'] }))).toMatchObject({ accessTokenTtl: { seconds: 1100, by: 'tenant' } })
  })

  test('a tenant without a policy has nothing, inside any wall', () => {
    expect(decide(safeDefault(aWall('')), aSituation())).toMatchObject({ kind: 'deny', reason: 'nothing_granted' })
  })

  test('what the tenant makes of a login is not what the vendor’s conditions see', () => {
    const wall = aWall(
      'claims: { clearance: string }\nrules: [{ name: low, effect: deny, scopes: ["*"], when: "claims.clearance != \'high\'" }]',
    )
    const policy = aPolicy(`claims: { clearance: { type: string, from: "'high'" } }\n${everything}`, { wall })
    expect(decide(policy, aSituation({ claims: { clearance: 'low' } }))).toMatchObject({ kind: 'deny', reason: 'nothing_granted' })
    expect(decide(policy, aSituation({ claims: { clearance: 'high' } }))).toMatchObject({ kind: 'allow' })
  })

  test('a tenant’s own meaning of evidence satisfies its own demand and not the vendor’s, unless the vendor accepted that rule for the connection', () => {
    const own = `${everything}\nacr: { "urn:acme:strong": multi_factor }\nmfa: [{ name: own, tiers: [read] }]`
    const strong = aSituation({ acr: 'urn:acme:strong', amr: [], request: ['orders:read'] })
    const demand = 'mfa: [{ name: vendors, tiers: [read] }]'
    expect(decide(aPolicy(own), strong).kind).toBe('allow')
    expect(decide(aPolicy(own, { wall: aWall(demand) }), strong)).toMatchObject({
      kind: 'stepUp',
      demand: 'mfa',
      missing: expect.stringContaining('vendors'),
    })
    const accepts = (entry: string) => aWall(`${demand}\nacceptsStrengthOf: [{ ${entry} }]`)
    const kindWithin = (entry: string) => decide(aPolicy(own, { wall: accepts(entry) }), strong).kind
    expect(kindWithin('connection: connection, acr: "urn:acme:strong", means: multi_factor')).toBe('allow')
    expect(kindWithin('connection: other, acr: "urn:acme:strong", means: multi_factor')).toBe('stepUp')
  })

  describe('the vendor accepts one rule, and of a connection no other, present or future', () => {
    const demand = 'mfa: [{ name: vendors, strength: phishing_resistant, tiers: [read] }]'
    const accepted = '{ connection: connection, amr: [badge, "pin-pad"], means: phishing_resistant }'
    const wall = aWall(`${demand}\nacceptsStrengthOf: [${accepted}]`)
    const shown = aSituation({ amr: ['pin-pad', 'badge', 'nonsense'], request: ['orders:read'] })
    test.each([
      ['it', 'amr: ["pin-pad", badge], means: phishing_resistant', 'allow'],
      ['it, for this connection', 'connection: connection, amr: [badge, "pin-pad"], means: phishing_resistant', 'allow'],
      ['it, for another connection', 'connection: other, amr: [badge, "pin-pad"], means: phishing_resistant', 'stepUp'],
      ['less evidence', 'amr: [badge], means: phishing_resistant', 'stepUp'],
      ['other evidence', 'amr: [nonsense], means: phishing_resistant', 'stepUp'],
      ['more evidence', 'amr: [badge, "pin-pad", nonsense], means: phishing_resistant', 'stepUp'],
      ['another kind of evidence', 'acr: badge, means: phishing_resistant', 'stepUp'],
      ['a stronger meaning', 'amr: [badge, "pin-pad"], means: phishing_resistant_hardware', 'stepUp'],
      ['a weaker meaning', 'amr: [badge, "pin-pad"], means: multi_factor', 'stepUp'],
    ])('a tenant that says %s', (_, rule, kind) => {
      expect(decide(aPolicy(`${everything}\nstrength: [{ name: own, ${rule} }]`, { wall }), shown).kind).toBe(kind)
    })

    test('and what it accepts counts for nothing while no tenant says it', () => {
      expect(decide(aPolicy(everything, { wall }), shown).kind).toBe('stepUp')
    })
  })

  test('what an earlier version accepted by the connection alone accepts nothing, and is not saved again', () => {
    const text = 'mfa: [{ name: vendors, tiers: [read] }]\nacceptsStrengthOf: [connection]'
    expect(reasonsOf(text)).toEqual(['strength_not_named'])
    const published = compilePublishedWall({ version: 1, document: `version: 1\n${text}` })
    expect(published.isBroken).toBe(false)
    const own = aPolicy(`${everything}\nacr: { "urn:acme:strong": multi_factor }`, { wall: published.value })
    expect(decide(own, aSituation({ acr: 'urn:acme:strong', amr: [], request: ['orders:read'] })).kind).toBe('stepUp')
  })

  test('no wall gives a session more than the limit sessionSeconds; one that was published with more is held to it', () => {
    const text = `session: { absoluteSeconds: ${policyLimits.sessionSeconds + 1} }`
    expect(reasonsOf(text)).toEqual(['session_too_long'])
    expect(reasonsOf(`session: { absoluteSeconds: ${policyLimits.sessionSeconds} }`)).toEqual([])
    const published = compilePublishedWall({ version: 1, document: `version: 1\n${text}` })
    expect(published).toMatchObject({ isBroken: false, value: { session: { absoluteSeconds: policyLimits.sessionSeconds } } })
  })

  test('nor does it reach a condition of the vendor', () => {
    const wall = aWall('rules: [{ name: weak, effect: deny, scopes: ["*"], when: "auth.strength != \'multi_factor\'" }]')
    const policy = aPolicy(`${everything}\nacr: { "urn:acme:strong": multi_factor }`, { wall })
    expect(decide(policy, aSituation({ acr: 'urn:acme:strong', amr: [] })).kind).toBe('deny')
  })
})

test('the wall holds for every policy of a tenant', () => {
  const scope = fc.constantFrom(...orders.scopes.map(({ name }) => name as string), '*', 'orders:*')
  const group = fc.constantFrom('a', 'b', 'c')
  const when = fc.constantFrom(undefined, "claims.department == 'x'", "'a' in groups", "client.host == 'agent.example'", 'claims.own')
  const rule = (effect: fc.Arbitrary<string>) =>
    fc.record({
      effect,
      scopes: fc.array(scope, { minLength: 1, maxLength: 2 }),
      groups: fc.option(fc.array(group, { minLength: 1, maxLength: 2 }), { nil: undefined }),
      when,
    })
  const named = (rules: readonly object[]) => rules.map((one, index) => ({ name: `r${index}`, everyone: true, ...one }))
  const limits = fc.record({ accessTokenSeconds: fc.integer({ min: 30, max: 300 }) })
  const claims = { own: { type: 'boolean', from: 'true' } }
  fc.assert(
    fc.property(
      fc.array(rule(fc.constant('deny')), { maxLength: 4 }),
      limits,
      fc.array(rule(fc.constantFrom('grant', 'deny')), { maxLength: 6 }),
      fc.record({
        groups: fc.oneof(fc.subarray(['a', 'b', 'c']), fc.constant('unknown' as const)),
        claims: fc.constantFrom({}, { department: 'x' }, { department: 'y' }),
      }),
      (denies, read, rules, situation) => {
        const wallDocument = { version: 1, claims: { own: 'boolean' }, rules: named(denies), limits: { read } }
        const wall = compileWall(JSON.stringify(wallDocument))
        if (!wall.ok) throw new Error(JSON.stringify(wall.error))
        const policy = compilePolicy(JSON.stringify({ version: 1, claims, rules: named(rules) }), { wall: wall.value })
        if (!policy.ok) throw new Error(JSON.stringify(policy.error))
        const input = aSituation(situation)
        const decision = decide(policy.value, input)
        // The wall alone, around a policy that grants everything: nothing may be granted that this refuses, and nothing may live longer.
        const open = compilePolicy(
          JSON.stringify({ version: 1, rules: [{ name: 'all', effect: 'grant', scopes: ['*'], everyone: true }] }),
          {
            wall: wall.value,
          },
        )
        if (!open.ok) throw new Error('compiles')
        const most = decide(open.value, input)
        if (decision.kind !== 'allow') return
        if (most.kind !== 'allow') throw new Error('the wall refuses everything')
        for (const granted of decision.scopes) expect(most.scopes).toContain(granted)
        if (decision.scopes.includes('orders:read' as never))
          expect(decision.accessTokenTtl.seconds).toBeLessThanOrEqual(read.accessTokenSeconds)
        expect(explain(policy.value, input).decision).toEqual(decision)
      },
    ),
  )
})
