import { expect, test } from 'vitest'
import type { IdpSession } from '../identity/normalized-identity.js'
import { distinct, type IdpSessionEnd, namesOfEnd, namesOfIdpSession } from './idp-session.js'
import { endsGrants } from './logout-strength.js'

const issuer = 'https://idp.example'
const ada = { value: 'ada', format: 'persistent', nameQualifier: undefined, spNameQualifier: undefined }
const unspecified = 'urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified'
const transient = 'urn:oasis:names:tc:SAML:2.0:nameid-format:transient'
const oidc = (sub: string, sid?: string, of = issuer): IdpSession => ({
  ...{ sessionIndex: undefined, nameId: undefined, sid, subject: { issuer: of, sub } },
})
const saml = (nameId: typeof ada | object, sessionIndex?: string): IdpSession => ({
  ...{ sessionIndex, nameId: { ...ada, ...nameId }, sid: undefined, subject: undefined },
})
const out = (sub: string | undefined, sid: string | undefined, of = issuer) => ({ protocol: 'oidc', issuer: of, sub, sid }) as IdpSessionEnd
const [idp, idpAtLogout, sp] = ['https://idp.example', 'https://logout.idp.example', 'https://sp.example']
const slo = (nameId: object, ...sessionIndexes: string[]): IdpSessionEnd => ({
  ...{ protocol: 'saml', nameId: { ...ada, ...nameId }, own: { idp: [idp, idpAtLogout], sp }, sessionIndexes },
})

/** As the store compares: by either name. */
function isEnded(session: IdpSession, end: IdpSessionEnd): boolean {
  const names = namesOfIdpSession(session)
  return namesOfEnd(end).some((ended) => names !== undefined && (ended.equals(names.session) || ended.equals(names.subject)))
}

test.each([
  { when: 'its sid is named', session: oidc('ada', 's1'), end: out(undefined, 's1'), ended: true },
  { when: 'its sid is named beside its person', session: oidc('ada', 's1'), end: out('ada', 's1'), ended: true },
  { when: 'its person is named alone', session: oidc('ada', 's1'), end: out('ada', undefined), ended: true },
  { when: 'it has no sid and its person is named beside one', session: oidc('ada'), end: out('ada', 's1'), ended: true },
  { when: 'another sid of its person is named', session: oidc('ada', 's2'), end: out('ada', 's1'), ended: false },
  { when: 'another person is named', session: oidc('ada', 's1'), end: out('bob', undefined), ended: false },
  { when: 'a sid is named that is her sub', session: oidc('ada', 's1'), end: out(undefined, 'ada'), ended: false },
  { when: 'another issuer names the same', session: oidc('ada', 's1'), end: out('ada', 's1', 'https://other.example'), ended: false },
  { when: 'its NameID is named', session: saml({}, 'i1'), end: slo({}), ended: true },
  { when: 'its index is among those named', session: saml({}, 'i2'), end: slo({}, 'i1', 'i2'), ended: true },
  { when: 'it has no index and one of its NameID is named', session: saml({}), end: slo({}, 'i1'), ended: true },
  { when: 'another index is named', session: saml({}, 'i2'), end: slo({}, 'i1'), ended: false },
  {
    when: 'more are named than anybody has',
    session: saml({}, 'i2'),
    end: slo({}, ...Array.from({ length: 21 }, (_, n) => `x${n}`)),
    ended: true,
  },
  { when: 'the format differs', session: saml({}, 'i1'), end: slo({ format: undefined }), ended: false },
  {
    when: 'a format that was unspecified is left out',
    session: saml({ format: unspecified }, 'i1'),
    end: slo({ format: undefined }),
    ended: true,
  },
  {
    when: 'a format that was left out is unspecified',
    session: saml({ format: undefined }, 'i1'),
    end: slo({ format: unspecified }, 'i1'),
    ended: true,
  },
  { when: 'a qualifier differs', session: saml({}, 'i1'), end: slo({ nameQualifier: 'idp' }), ended: false },
  { when: 'the qualifier of the SP differs', session: saml({ spNameQualifier: 'sp' }, 'i1'), end: slo({}, 'i1'), ended: false },
  {
    when: 'qualifiers that say no more than the message are left out',
    session: saml({ nameQualifier: idp, spNameQualifier: sp }, 'i1'),
    end: slo({}, 'i1'),
    ended: true,
  },
  {
    when: 'qualifiers that were left out say no more than the message',
    session: saml({}, 'i1'),
    end: slo({ nameQualifier: idp, spNameQualifier: sp }),
    ended: true,
  },
  {
    when: 'a transient name leaves out its qualifiers',
    session: saml({ format: transient, nameQualifier: idp, spNameQualifier: sp }, 'i1'),
    end: slo({ format: transient }, 'i1'),
    ended: true,
  },
  {
    when: 'the qualifier is the other name of the IdP',
    session: saml({ nameQualifier: idp }),
    end: slo({ nameQualifier: idpAtLogout }, 'i1'),
    ended: true,
  },
  {
    when: 'the qualifier of the IdP says the SP',
    session: saml({}, 'i1'),
    end: slo({ nameQualifier: sp }, 'i1'),
    ended: false,
  },
  {
    when: 'the qualifiers are left out and one was another’s',
    session: saml({ nameQualifier: idp, spNameQualifier: 'urn:affiliation' }, 'i1'),
    end: slo({}, 'i1'),
    ended: false,
  },
  {
    when: 'both have the qualifier of another',
    session: saml({ spNameQualifier: 'urn:affiliation' }, 'i1'),
    end: slo({ nameQualifier: idp, spNameQualifier: 'urn:affiliation' }, 'i1'),
    ended: true,
  },
  { when: 'the value differs in a letter', session: saml({}, 'i1'), end: slo({ value: 'Ada' }, 'i1'), ended: false },
  { when: 'the other protocol names the same', session: oidc('ada'), end: slo({ value: 'ada' }), ended: false },
])('a session is ended=$ended when $when', ({ session, end, ended }) => {
  expect(isEnded(session, end)).toBe(ended)
})

test('a session of which the IdP said nothing has no name', () => {
  expect(namesOfIdpSession({ sessionIndex: undefined, nameId: undefined, sid: 's1', subject: undefined })).toBeUndefined()
})

test('names come in one order and each once, whatever the order they are given in', () => {
  const names = namesOfEnd(slo({ nameQualifier: 'another', spNameQualifier: 'another' }, 'b', 'a', 'b'))
  expect(names).toHaveLength(3)
  expect(distinct([...names].reverse())).toEqual(names)
})

test.each([
  { strength: 'browser', outlive: false, ends: false },
  { strength: 'browser', outlive: true, ends: false },
  { strength: 'session', outlive: false, ends: true },
  { strength: 'session', outlive: true, ends: false },
  { strength: 'deprovisioning', outlive: false, ends: true },
  { strength: 'deprovisioning', outlive: true, ends: true },
] as const)('a $strength logout of a tenant whose grants outlive=$outlive ends grants=$ends', ({ strength, outlive, ends }) => {
  expect(endsGrants(strength, outlive)).toBe(ends)
})
