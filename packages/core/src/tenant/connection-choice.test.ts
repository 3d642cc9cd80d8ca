import { describe, expect, it, test } from 'vitest'
import {
  addressToLookUp,
  type ConnectionChoiceJson,
  compileConnectionChoice,
  connectionChoiceFromJson,
  connectionOfAddress,
  connectionOfAnyAddress,
} from './connection-choice.js'
import { type AddressGroups, unknownGroups } from './groups-of-address.js'

const [oldest, staff, guests] = [1, 2, 3].map((digit) => ({ id: `00000000-0000-4000-8000-00000000000${digit}` })) as [
  { id: string },
  { id: string },
  { id: string },
]
const usable = [oldest, staff, guests]
const domains = [
  { domain: 'acme.example', connectionId: staff.id, verified: true },
  { domain: 'claimed.example', connectionId: staff.id, verified: false },
]
const choiceOf = (when: string, fallbackConnectionId: string | null = null) =>
  connectionChoiceFromJson({ rules: [{ when, connectionId: guests.id }], fallbackConnectionId })

describe('an address', () => {
  const configured = { choice: choiceOf("hint.startsWith('ext-') || domain.endsWith('.guests.example')"), domains }
  it.each([
    { hint: 'ada@acme.example', chosen: staff },
    { hint: 'ADA@ACME.EXAMPLE', chosen: staff },
    { hint: 'ext-ada@acme.example', chosen: guests },
    { hint: 'EXT-ada@acme.example', chosen: guests },
    { hint: 'x@eu.guests.example', chosen: guests },
    { hint: 'ada@claimed.example', chosen: undefined },
    { hint: 'ada@elsewhere.example', chosen: undefined },
    { hint: 'ext-ada', chosen: undefined },
  ])('$hint goes where a rule, then its proven domain says', ({ hint, chosen }) => {
    expect(connectionOfAddress(configured, usable, hint)).toBe(chosen)
  })
  it('never goes to a connection that is switched off', () => {
    expect(connectionOfAddress(configured, [oldest], 'ext-ada@acme.example')).toBeUndefined()
  })
  it('that nothing decides goes to the fallback, or to the oldest; what is none goes nowhere', () => {
    expect(connectionOfAnyAddress(configured, usable, 'ada@elsewhere.example')).toBe(oldest)
    expect(connectionOfAnyAddress({ choice: choiceOf('false', staff.id), domains }, usable, 'ada@elsewhere.example')).toBe(staff)
    expect(connectionOfAnyAddress(configured, usable, 'ada')).toBeUndefined()
  })
})

test.each([
  { when: 'hint', reason: 'expression_not_boolean' },
  { when: 'hint.startsWith(', reason: 'expression_syntax' },
  { when: "claims.email == 'x'", reason: 'expression_type' },
  { when: "hint.matches('(a)\\\\1')", reason: 'regex_refused' },
  { when: "hint == 'x'.repeat(10)", reason: 'expression_function' },
])('a rule is checked when it is saved: $when', ({ when, reason }) => {
  const compiled = compileConnectionChoice({ rules: [{ when, connectionId: guests.id }], fallbackConnectionId: null, revealsGroups: false })
  expect(compiled).toMatchObject({ ok: false, error: [{ path: 'rules.0.when', mistake: { reason } }] })
})

test('rules that together are too costly are refused, and one whose text grows', () => {
  const rulesOf = (when: string, length: number) =>
    compileConnectionChoice({
      rules: Array.from({ length }, () => ({ when, connectionId: guests.id })),
      fallbackConnectionId: null,
      revealsGroups: false,
    })
  const costly = "hint.matches('[ab]*a[ab]{29}$')"
  expect(rulesOf(costly, 1).ok).toBe(true)
  expect(rulesOf(costly, 50)).toMatchObject({ ok: false, error: [{ path: 'rules', mistake: { reason: 'policy_too_costly' } }] })
  const growing = `[hint]${'.map(a, a + a + a + a)'.repeat(8)}[0].contains('zz')`
  expect(rulesOf(growing, 1)).toMatchObject({ ok: false, error: [{ path: 'rules.0.when', mistake: { reason: 'expression_text' } }] })
})

test('a pattern runs in linear time', () => {
  const configured = { choice: choiceOf("hint.matches('^(a+)+$')"), domains: [] }
  expect(connectionOfAddress(configured, usable, `${'a'.repeat(200)}!@acme.example`)).toBeUndefined()
})

test('what the store holds and cannot be read chooses nothing', () => {
  for (const json of [null, 1, { rules: 'x' }, { rules: [{ when: '(', connectionId: guests.id }] }])
    expect(connectionChoiceFromJson(json)).toEqual({ rules: [], fallbackConnectionId: undefined })
})

describe('a rule on groups', () => {
  const known = (...value: string[]): AddressGroups => ({ state: 'known', value })
  const rules = [
    { when: "hint.startsWith('root')", connectionId: oldest.id },
    { when: "domain == 'acme.example'", groups: ['contractors', 'agency'], connectionId: guests.id },
  ]
  const configured = { choice: connectionChoiceFromJson({ rules, revealsGroups: true }), domains }

  it.each([
    { groups: known('contractors'), chosen: guests },
    { groups: known('staff', 'agency'), chosen: guests },
    { groups: known('Contractors'), chosen: staff },
    { groups: known('staff'), chosen: staff },
    { groups: known(), chosen: staff },
    { groups: unknownGroups, chosen: staff },
  ])('chooses by membership, and an unknown person goes where one in none of them goes: $groups', ({ groups, chosen }) => {
    expect(connectionOfAddress(configured, usable, 'ada@acme.example', groups)).toBe(chosen)
  })

  it.each([
    { hint: 'ada@acme.example', looked: true, why: 'whoever has it, or nobody' },
    { hint: 'root@acme.example', looked: false, why: 'an earlier rule decides' },
    { hint: 'ada@claimed.example', looked: false, why: 'the domain is not proven' },
    { hint: 'ada@elsewhere.example', looked: false, why: 'the domain is nobody’s' },
    { hint: 'ada', looked: false, why: 'it is no address' },
    { hint: undefined, looked: false, why: 'there is none' },
  ])('has $hint looked up: $looked, because $why', ({ hint, looked }) => {
    expect(addressToLookUp(configured, usable, hint)?.key).toBe(looked ? hint : undefined)
  })
  it('has nothing looked up where its connection is switched off, or where no rule asks', () => {
    expect(addressToLookUp(configured, [oldest, staff], 'ada@acme.example')).toBeUndefined()
    expect(addressToLookUp({ choice: choiceOf('true'), domains }, usable, 'ada@acme.example')).toBeUndefined()
  })

  test.each([
    {
      what: 'without the word that this shows',
      json: { rules, revealsGroups: false },
      path: 'rules.1.groups',
      reason: 'groups_unaccepted',
    },
    {
      what: 'that asks nothing',
      json: { rules: [{ connectionId: guests.id }], revealsGroups: true },
      path: 'rules.0',
      reason: 'rule_empty',
    },
  ])('is refused $what', ({ json, path, reason }) => {
    const compiled = compileConnectionChoice({ ...json, fallbackConnectionId: null } as ConnectionChoiceJson)
    expect(compiled).toMatchObject({ ok: false, error: [{ path, mistake: { reason } }] })
    expect(connectionChoiceFromJson(json)).toEqual({ rules: [], fallbackConnectionId: undefined })
  })
  it('cannot ask for absence: a condition knows no groups', () => {
    const when = "!('staff' in groups)"
    const compiled = compileConnectionChoice({
      rules: [{ when, connectionId: guests.id }],
      fallbackConnectionId: null,
      revealsGroups: true,
    })
    expect(compiled).toMatchObject({ ok: false, error: [{ path: 'rules.0.when', mistake: { reason: 'expression_type' } }] })
  })
})
