import { describe, expect, it, test } from 'vitest'
import {
  findInitiatedLoginMistake,
  type InitiatedTarget,
  initiatedLoginLimits,
  initiatedLoginShape,
  initiationUrlOf,
  passableHint,
  targetOf,
} from './initiated-login.js'

const documents: InitiatedTarget = { name: 'Documents', relayState: 'documents', initiateLoginUri: 'https://docs.example/login' }
const mail: InitiatedTarget = { name: 'Mail', initiateLoginUri: 'https://mail.example/login', targetLinkUri: 'https://mail.example/inbox' }

describe('the RelayState of a tile', () => {
  test.each([
    { given: 'documents', leads: 'Documents' },
    { given: 'Documents', leads: 'Mail' },
    { given: 'documents ', leads: 'Mail' },
    { given: 'documents/../x', leads: 'Mail' },
    { given: 'document', leads: 'Mail' },
    { given: 'https://evil.example', leads: 'Mail' },
    { given: 'javascript:alert(1)', leads: 'Mail' },
    { given: '__proto__', leads: 'Mail' },
    { given: '', leads: 'Mail' },
    { given: undefined, leads: 'Mail' },
  ])('$given leads to $leads, the default being Mail', ({ given, leads }) => {
    expect(targetOf({ targets: [documents, mail] }, given)?.name).toBe(leads)
    expect(targetOf({ targets: [documents] }, given)?.name).toBe(leads === 'Documents' ? 'Documents' : undefined)
  })
})

it('leads with the parameters of third-party initiated login, which the address keeps apart from its own', () => {
  const about = { issuer: 'https://sso.example/t/acme', connectionId: 'c1', loginHint: 'ada@acme.example&iss=x' }
  const url = new URL(initiationUrlOf({ ...mail, initiateLoginUri: 'https://mail.example/login?tab=1' }, about))
  expect(Object.fromEntries(url.searchParams)).toEqual({
    tab: '1',
    iss: 'https://sso.example/t/acme',
    login_hint: 'ada@acme.example&iss=x',
    target_link_uri: 'https://mail.example/inbox',
    connection: 'c1',
  })
})

test.each([
  { hint: 'ada@acme.example', passed: true },
  { hint: 'ada', passed: true },
  { hint: `a${'a'.repeat(initiatedLoginLimits.hintLength)}`, passed: false },
  { hint: 'ada\r\nset-cookie: x', passed: false },
  { hint: '', passed: false },
  { hint: undefined, passed: false },
])('a hint $hint is passed on: $passed', ({ hint, passed }) => {
  expect(passableHint(hint)).toBe(passed ? hint : undefined)
})

describe('a list of targets', () => {
  const mistakeOf = (...targets: InitiatedTarget[]) => findInitiatedLoginMistake({ targets })
  it('is well with one of each', () => expect(mistakeOf(documents, mail)).toBeUndefined())
  it('may be on loopback, for a lab', () =>
    expect(mistakeOf({ ...documents, initiateLoginUri: 'http://127.0.0.1:9000/login' })).toBeUndefined())
  test.each([
    'javascript:alert(1)',
    'JAVASCRIPT:alert(1)',
    'data:text/html,x',
    'http://docs.example/login',
    'http://127.0.0.1.evil.example/login',
    'http://localhost@evil.example/',
    '//evil.example/login',
    '/login',
    'https:evil.example',
    'https:///evil.example',
    'https://good.example\\@evil.example/',
    'https://good.example@evil.example/',
    'https://docs.example/login#fragment',
    'https://docs.example/lo\ngin',
    ' https://docs.example/login',
    'com.example.app:/login',
    'https://docs.example/login?iss=https://evil.example',
    'https://docs.example/login?connection=1',
    'https://docs.example/login?%69ss=x',
    '',
  ])('takes no address like %j', (initiateLoginUri) => {
    expect(mistakeOf({ ...documents, initiateLoginUri })).toMatchObject({ member: 'idpInitiated.targets[0].initiateLoginUri' })
  })
  test.each([
    { what: 'two defaults', targets: [mail, mail], member: 'idpInitiated.targets[1].relayState' },
    { what: 'one RelayState twice', targets: [documents, documents], member: 'idpInitiated.targets[1].relayState' },
    {
      what: 'a RelayState in the shape of our own',
      targets: [{ ...documents, relayState: '00000000-0000-4000-8000-000000000000' }],
      member: 'idpInitiated.targets[0].relayState',
    },
    {
      what: 'a page that is none',
      targets: [{ ...mail, targetLinkUri: 'javascript:alert(1)' }],
      member: 'idpInitiated.targets[0].targetLinkUri',
    },
  ])('has not $what', ({ targets, member }) => {
    expect(mistakeOf(...targets)).toMatchObject({ member })
  })
  it('is neither empty nor endless, and knows no other members', () => {
    const accepts = (value: unknown) => initiatedLoginShape.safeParse(value).success
    expect(accepts({ targets: [mail] })).toBe(true)
    expect(accepts({ targets: [] })).toBe(false)
    expect(accepts({ targets: Array.from({ length: initiatedLoginLimits.targets + 1 }, () => mail) })).toBe(false)
    expect(accepts({ targets: [{ ...mail, relayState: '' }] })).toBe(false)
    expect(accepts({ targets: [mail], believe: true })).toBe(false)
  })
})
