import { describe, expect, it, test } from '@jest/globals'
import { compileConnectionChoice, connectionChoiceFromJson, connectionOfAddress, connectionOfAnyAddress } from './connection-choice.js'

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
  const compiled = compileConnectionChoice({ rules: [{ when, connectionId: guests.id }], fallbackConnectionId: null })
  expect(compiled).toMatchObject({ ok: false, error: [{ path: 'rules.0.when', mistake: { reason } }] })
})

test('a pattern runs in linear time', () => {
  const configured = { choice: choiceOf("hint.matches('^(a+)+$')"), domains: [] }
  expect(connectionOfAddress(configured, usable, `${'a'.repeat(200)}!@acme.example`)).toBeUndefined()
})

test('what the store holds and cannot be read chooses nothing', () => {
  for (const json of [null, 1, { rules: 'x' }, { rules: [{ when: '(', connectionId: guests.id }] }])
    expect(connectionChoiceFromJson(json)).toEqual({ rules: [], fallbackConnectionId: undefined })
})
