/** Claims that a mapping computes: checked when they are saved, and strict when somebody signs in. */
import { describe, expect, it } from 'vitest'
import { instant } from '../instant.js'
import { parseClaimMapping } from './claim-mapping.js'
import { normalize } from './normalize.js'

const now = instant(1_800_000_000_000)
const mappingOf = (expression: string, type = 'string') => parseClaimMapping({ claims: { computed: { expression, type } } })

/** The claim as a login has it; or the reason why there is no login. */
function computed(expression: string, type: string, claims: Record<string, unknown>): unknown {
  const mapping = mappingOf(expression, type)
  if (!mapping.ok) throw new Error(mapping.error.say)
  const times = { acr: undefined, amr: [], authTime: now, sid: undefined, issuedAt: now, expiresAt: now }
  const token = {
    kind: 'oidc',
    connectionId: 'c' as never,
    issuer: 'i',
    sub: 's',
    claims: new Map(Object.entries(claims)),
    ...times,
  } as const
  const identity = normalize(token, mapping.value)
  return identity.ok ? identity.value.claims.get('computed') : identity.error.reason
}

describe('a computed claim', () => {
  it.each([
    {
      expression: "attributes['first'][0] + ' ' + attributes['last'][0]",
      type: 'string',
      given: { first: 'Ada', last: 'Moreau' },
      claim: 'Ada Moreau',
    },
    { expression: "'dept' in attributes ? attributes['dept'][0] : ''", type: 'string', given: {}, claim: undefined },
    {
      expression: "attributes['roles'].filter(r, r.startsWith('app-'))",
      type: 'list',
      given: { roles: ['app-a', 'b', 'app-c'] },
      claim: ['app-a', 'app-c'],
    },
    { expression: "attributes['kind'][0] == 'contractor'", type: 'boolean', given: { kind: 'contractor' }, claim: true },
    { expression: "attributes['roles'].size()", type: 'number', given: { roles: ['a', 'b'] }, claim: 2 },
    { expression: 'attributes.kind[0]', type: 'string', given: { kind: 'x' }, claim: 'x' },
  ])('$expression', ({ expression, type, given, claim }) => {
    expect(computed(expression, type, given)).toEqual(claim)
  })

  it.each([
    { when: 'an attribute is missing', expression: "attributes['dept'][0]", given: {} },
    { when: 'a name is no attribute but a member of every object', expression: "attributes['constructor'][0]", given: {} },
    { when: 'an attribute has no value', expression: "attributes['dept'][0]", given: { dept: [] } },
    { when: 'a value is too long', expression: "attributes['dept'][0]", given: { dept: 'x'.repeat(2000) } },
    { when: 'the result is too long', expression: "attributes['dept'][0] + attributes['dept'][0]", given: { dept: 'x'.repeat(1000) } },
  ])('ends the login when $when', ({ expression, given }) => {
    expect(computed(expression, 'string', given)).toBe('identity_mapping_failed')
  })
})

describe('an expression is refused when it is saved', () => {
  it('because its text grows, or because all together cost too much', () => {
    const growing = `attributes['mail']${'.map(a, a + a + a + a)'.repeat(6)}[0]`
    expect(mappingOf(growing)).toMatchObject({ ok: false, error: { say: expect.stringContaining('expressionText') } })
    const costly = { expression: "attributes['roles'].exists(r, r.contains('x'))", type: 'boolean' }
    const claims = (length: number) => Object.fromEntries(Array.from({ length }, (_, index) => [`c${index}`, costly]))
    expect(parseClaimMapping({ claims: claims(4) }).ok).toBe(true)
    expect(parseClaimMapping({ claims: claims(5) })).toMatchObject({ ok: false, error: { say: expect.stringContaining('policyCost') } })
  })
  it.each([
    { expression: "attributes['a']", type: 'string' },
    { expression: "attributes['a'][0]", type: 'list' },
    { expression: "attributes['a'][0].matches('(x)\\\\1') ? 'a' : 'b'", type: 'string' },
    { expression: "attributes[attributes['a'][0]][0]", type: 'string' },
    { expression: '[attributes].size()', type: 'number' },
    { expression: 'attributes.size()', type: 'number' },
    { expression: 'groups[0]', type: 'string' },
    { expression: "attributes['a'].all(x, attributes['b'].all(y, attributes['c'].all(z, x + y == z)))", type: 'boolean' },
    { expression: "attributes['a'][", type: 'string' },
  ])('$expression as $type', ({ expression, type }) => {
    expect(mappingOf(expression, type)).toMatchObject({ ok: false, error: { reason: 'mapping_expression' } })
  })
  it.each(['sub', 'email_verified', 'acr', 'amr', 'groups', 'tenant', 'connection', 'constructor'])(
    'whatever it says, if it writes %s',
    (claim) => {
      expect(parseClaimMapping({ claims: { [claim]: { expression: "'x'" } } })).toMatchObject({
        error: { reason: 'mapping_writes_reserved_claim' },
      })
    },
  )
})
