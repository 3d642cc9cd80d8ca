import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { describeSubject, parseSignalSubject, parseSubjectIdentifier, subjectIdentifierLimits } from './subject-identifier.js'

const long = 'x'.repeat(subjectIdentifierLimits.textLength + 1)

describe('whom a signal names', () => {
  test.each([
    {
      given: { format: 'iss_sub', iss: 'https://idp.example', sub: '00u1' },
      read: { format: 'iss_sub', issuer: 'https://idp.example', sub: '00u1' },
    },
    { given: { format: 'opaque', id: '00u1' }, read: { format: 'opaque', id: '00u1' } },
    {
      given: { format: 'email', email: 'Ada@Acme.Example' },
      read: { format: 'email', address: { key: 'ada@acme.example', domain: 'acme.example' } },
    },
    { given: { format: 'opaque', id: '00u1', email: 'eve@acme.example' }, read: { format: 'opaque', id: '00u1' } },
  ])('$given.format', ({ given, read }) => {
    expect(parseSubjectIdentifier(given)).toEqual(read)
  })

  test.each([
    ...[undefined, null, 'ada', [], {}, { id: 'ada' }, { format: 'opaque' }, { format: 'opaque', id: '' }, { format: 'opaque', id: 7 }],
    ...[
      { format: 'opaque', id: long },
      { format: 'opaque', id: 'a\0' },
      { format: 'opaque', id: 'a\ud800' },
      { format: 'iss_sub', sub: 'ada' },
      { format: 'iss_sub', iss: 'https://idp.example' },
    ],
    ...[
      { format: 'email', email: 'ada' },
      { format: 'email', email: 'ada@acme.example, eve@acme.example' },
      { format: 'email', email: 'a@b@c.example' },
    ],
    ...[
      { format: 'phone_number', phone_number: '+1' },
      { format: 'aliases', identifiers: [{ format: 'opaque', id: 'ada' }] },
      { format: 'Opaque', id: 'a' },
    ],
  ])('nobody that we could know: %j', (given) => {
    expect(parseSubjectIdentifier(given)).toBeUndefined()
  })

  test('whatever is given, it answers', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => void parseSubjectIdentifier(value)))
  })
})

describe('the person in a subject', () => {
  const user = { format: 'iss_sub', iss: 'https://idp.example', sub: 'ada' }
  test.each([
    user,
    { format: 'complex', user },
    { user },
    { format: 'complex', user, session: { format: 'opaque', id: 's1' }, device: { format: 'opaque', id: 'd1' } },
  ])('%j', (given) => {
    expect(parseSignalSubject(given)).toEqual({ format: 'iss_sub', issuer: 'https://idp.example', sub: 'ada' })
  })
  test.each([
    undefined,
    null,
    [],
    {},
    { format: 'complex' },
    { format: 'complex', session: user },
    { format: 'complex', user: 'ada' },
    { format: 'other', user },
  ])('none: %j', (given) => {
    expect(parseSignalSubject(given)).toBeUndefined()
  })
  const opaque = { format: 'opaque', id: 'ada' }
  const email = { format: 'email', email: 'ada@acme.example' }
  test.each([
    { identifiers: [email, opaque, user], named: 'https://idp.example ada' },
    { identifiers: [email, opaque], named: 'ada' },
    { identifiers: [{ format: 'phone_number', phone_number: '+1' }, email], named: 'ada@acme.example' },
    { identifiers: [user, { ...user, sub: 'eve' }, opaque], named: 'no person' },
    { identifiers: [opaque, opaque], named: 'no person' },
    { identifiers: [{ format: 'aliases', identifiers: [opaque] }], named: 'no person' },
    { identifiers: Array(subjectIdentifierLimits.aliases + 1).fill({ format: 'uri', uri: 'a:b' }), named: 'no person' },
    ...[{ identifiers: [] }, { identifiers: {} }, {}].map((given) => ({ ...given, named: 'no person' })),
  ])('of aliases %j', ({ named, ...aliases }) => {
    const given = { format: 'aliases', ...aliases }
    expect([given, { format: 'complex', user: given }].map((one) => describeSubject(parseSignalSubject(one)))).toEqual([named, named])
  })

  test('is called by what she was named by', () => {
    const named = [undefined, { format: 'opaque', id: '00u1' }, { format: 'email', email: 'Ada@acme.example' }, user]
    const told = ['no person', '00u1', 'ada@acme.example', 'https://idp.example ada']
    expect(named.map((given) => describeSubject(parseSignalSubject(given)))).toEqual(told)
  })
})
