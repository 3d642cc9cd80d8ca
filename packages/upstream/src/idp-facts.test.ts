/**
 * Which test proves each fact about real IdPs that this product is built on: the rules of first contact, and what each vendor does. A fact whose
 * test has been renamed or taken away fails here. Titles are as they stand in the source, or as far as they are written out there.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { oidcVendors } from './oidc/vendors.js'
import { vendors } from './saml/metadata-vendors.js'

type Proof = readonly [file: string, title: string]
const root = new URL('../../../', import.meta.url)
const here =
  (folder: string) =>
  (file: string, title: string): Proof => [`packages/upstream/src/${folder}/${file}.test.ts`, title]
const [saml, oidc] = [here('saml'), here('oidc')]
const broker = (file: string, title: string): Proof => [`apps/broker/src/${file}.test.ts`, title]
const core = (title: string): Proof => ['packages/core/src/identity/authentication-strength.test.ts', title]
/** A row of the table of messages: `vendor-messages.test` holds every one to what `expected-of-vendors` says. */
const message = (name: string): Proof => ['packages/upstream/src/saml/fixtures/vendor-messages.ts', name]
const attackFile = (name: string): Proof => [`packages/upstream/src/saml/fixtures/attacks/${name}.reason`, '']
const quirk = (title: string) => saml('vendor-messages', title)
const metadata = (title: string) => saml('metadata-vendors', title)
const vendor = (title: string) => oidc('vendors', title)

const rules: Readonly<Record<string, readonly Proof[]>> = {
  'rule 1 nothing asked that was not configured': [
    saml('authn-request', 'the request is bare: no policy, no context, no subject, no ForceAuthn'),
  ],
  'rule 2 ids and no subject': [
    saml('first-contact', 'rule 2: '),
    saml('authn-request', 'a login hint goes only into the configured parameter'),
  ],
  'rule 3 several keys, no dates': [saml('first-contact', 'rule 3: '), saml('verify-response', 'an expired certificate still verifies')],
  'rule 4 what is signed': [
    saml('first-contact', 'rule 4: '),
    saml('open-encrypted', 'a signature on the response vouches for the cipher text in it'),
    attackFile('sha1-signature'),
  ],
  'rule 5 what is encrypted': [
    saml('encrypted-interoperability', 'xml-encryption: $content, $transport with $digest and mask $mask'),
    saml('open-encrypted', 'RSA with PKCS #1 v1.5 padding'),
  ],
  'rule 6 white space': [saml('first-contact', 'rule 6: '), message('jumpcloud signs the assertion')],
  'rule 7 clock skew': [saml('first-contact', 'rule 7: '), quirk('conditions of a minute hold for as long as the skew of clocks allows')],
  'rule 8 acceptance is not the session': [saml('first-contact', 'rule 8: ')],
  'rule 9 session end of PingOne': [
    quirk('PingOne ends the session with the assertion'),
    metadata('PingOne: its region is part of the address'),
  ],
  'rule 10 AuthnInstant': [quirk('%s: it is believed only where a fresh sign-in was demanded'), quirk('%s says when she really signed in')],
  'rule 11 attributes': [
    quirk('fields that nobody filled in are there and empty'),
    quirk('a role of one value is a list of one'),
    saml('first-contact', 'rule 11: '),
  ],
  'rule 12 NameID and key': [
    saml('first-contact', 'rule 12: one NameID'),
    saml('first-contact', 'rule 12: an address'),
    broker('authorize/shared-idp', 'the same NameID is another person at each connection'),
  ],
  'rule 13 octets of a redirect': [
    ['packages/upstream/src/saml/fixtures/good-logout/request-lower-case-hex.query', ''],
    saml('sign-request', '%s covers the octets of the query as they are sent'),
  ],
  'rule 14 Issuer of a logout': [
    saml('verify-logout', 'the name that an IdP uses for logout alone is believed only where the connection says so'),
  ],
  'rule 15 IdP-initiated': [
    broker('authorize/initiated-login', 'that says nothing known leads to the default where there is one'),
    broker('authorize/initiated-login', 'of a company that has not opted in is refused'),
  ],
  'rule 16 shared issuers': [
    oidc('id-token', 'an issuer that many companies share'),
    broker('authorize/shared-idp', 'the same sub is another person at each connection'),
  ],
  'rule 17 claims that are missing': [vendor('tokens without acr, amr, auth_time and sid prove nothing, and are accepted')],
  'rule 18 a step-up is verified': [
    vendor('an acr_values that it ignored leaves what it answers'),
    oidc('authorization-request', 'that was answered with less than was essential is refused'),
  ],
}
/** Of SCIM, and proven where SCIM is. */
const elsewhere = ['rule 19', 'rule 20']

const samlFacts: Readonly<Record<string, readonly Proof[]>> = {
  'okta metadata and entity id': [metadata('Okta: the entity ID is an http URL'), metadata('Okta under a domain of the company')],
  'okta signs both': [message('okta signs both')],
  'okta encrypts': [message('okta encrypts')],
  'okta groups need a filter': [quirk('without a filter for groups it sends none')],
  'okta class is static': [quirk('its class is a setting of the application')],
  'okta logout': [
    saml('metadata-logout', 'of Okta and AD FS it is told that they want the certificate first'),
    broker('logout/saml-sign-out', 'she is out here before she leaves, and the IdP is asked in its own words, signed'),
  ],
  'okta step-up': [saml('authn-request', 'a step-up without class (Entra, Okta) is ForceAuthn alone')],
  'entra metadata': [metadata('Entra: several keys, of the SAML role alone'), metadata('Entra: an address without appid')],
  'entra signs': [message('entra signs the assertion'), message('entra signs the response'), message('entra signs both')],
  'entra SHA-1': [quirk('SHA-1, which may still be chosen there, is refused by name')],
  'entra encrypts': [message('entra encrypts')],
  'entra groups overage': [
    quirk('a link in the place of more than 150 groups leaves them unknown'),
    quirk('no groups at all leave them unknown'),
  ],
  'entra MFA': [quirk('a password alone is one factor, though the class never changes')],
  'entra logout': [saml('metadata-logout', 'Entra speaks of logout under another name')],
  'google metadata': [metadata('Google: validUntil lies five years ahead')],
  'google signs': [message('google signs the assertion'), message('google signs the response instead')],
  'google attributes': [quirk('fields that nobody filled in are there and empty')],
  'adfs metadata': [metadata('AD FS: two signing certificates')],
  'adfs signs and encrypts': [message('adfs signs the assertion'), message('adfs encrypts')],
  'adfs logout': [saml('logout', 'every attribute of the NameID goes back as it came')],
  'adfs NameID': [quirk('without a claim rule there is no NameID'), quirk('a NameID that is there and empty is refused in any case')],
  'pingfederate metadata': [metadata('PingFederate: the entity ID is any name')],
  'pingfederate message': [message('pingfederate signs the response'), quirk('PingFederate under a virtual server ID has another Issuer')],
  'pingone metadata': [metadata('PingOne: its region is part of the address')],
  'pingone message': [
    message('pingone signs the assertion'),
    message('pingone signs both with SHA-512'),
    quirk('a region and a NameID without a format change nothing'),
  ],
  'onelogin metadata': [metadata('OneLogin: SOAP is passed over')],
  'onelogin message': [
    message('onelogin signs the assertion'),
    message('onelogin signs the response with SHA-512'),
    quirk('a Recipient that the admin mistyped is refused by name'),
  ],
  'onelogin groups': [quirk('without multi-value parameters several groups are one text')],
  'keycloak metadata': [metadata('Keycloak: every key of the realm is listed')],
  'keycloak message': [
    message('keycloak signs the response'),
    message('keycloak signs both'),
    quirk('the name of another key beside the signature changes nothing'),
  ],
  'keycloak times': [quirk('conditions of a minute hold')],
  'keycloak roles': [quirk('a role of one value is a list of one')],
  'keycloak logout without cookies': [broker('logout/saml-slo', 'without any cookie ends browser session')],
  'auth0 metadata': [metadata('Auth0: SHA-1 until it is told otherwise')],
  'auth0 logout': [saml('metadata-logout', 'Entra speaks of logout under another name, and Auth0 by POST')],
  'auth0 message': [
    message('auth0 signs the assertion'),
    message('auth0 signs the response instead'),
    quirk('SHA-1, its default, is refused by name'),
  ],
  'duo metadata': [metadata('Duo: one entity per application')],
  'duo message': [message('duo signs both'), quirk('a bridge attribute of $amr proves $strength')],
  'jumpcloud metadata': [metadata('JumpCloud: the entity ID is what an admin typed')],
  'jumpcloud message': [
    message('jumpcloud signs the assertion'),
    quirk('two companies may have typed the same entity ID'),
    broker('authorize/shared-idp', 'two customers of JumpCloud typed the same IdP entity ID'),
  ],
  'cyberark message': [message('cyberark signs the response'), message('cyberark signs the assertion')],
  'shibboleth metadata': [metadata('Shibboleth: comments, scopes, SAML 1.1')],
  'shibboleth message': [
    message('shibboleth encrypts with GCM'),
    message('shibboleth before version 4 encrypts with CBC, the key beside'),
    message('shibboleth without encryption'),
  ],
  'shibboleth NameID': [
    quirk('a transient NameID is nobody’s key'),
    quirk('a targeted id, which is a NameID inside of an attribute, can be the key'),
  ],
  'shibboleth class': [quirk('it answers NoAuthnContext where it cannot reach the class that was asked for')],
  'simplesamlphp metadata': [metadata('SimpleSAMLphp: one key for signing and encryption')],
  'simplesamlphp message': [
    message('simplesamlphp signs both'),
    broker('authorize/simplesamlphp', 'signs $what, and ada leaves with a code'),
  ],
  'rippling message': [message('rippling signs the assertion'), quirk('installed anew it has other keys and another entity ID')],
  'ibm verify message': [message('ibm verify signs the assertion')],
}

const oidcFacts: Readonly<Record<string, readonly Proof[]>> = {
  'okta subject and groups': [
    vendor('the subject is the Okta id, and groups may come from userinfo'),
    vendor('a custom authorization server has another issuer'),
  ],
  'okta amr': [vendor('amr $amr is $strength')],
  'okta acr': [vendor('phishing resistance is said by acr'), vendor('an acr_values that it ignored leaves what it answers')],
  'okta client key': [oidc('client-authentication', 'speaks to the token endpoint where the provider wants to be called so')],
  'okta logout': [broker('logout/frontchannel-logout', 'ends the session of this browser, from a frame of the provider alone')],
  'okta email_verified': [vendor('email_verified is kept out of every decision')],
  'entra issuer template': [
    oidc('id-token', 'is believed about the tenant that the connection names'),
    oidc('id-token', 'each key of the shared set may sign for its own issuer alone'),
  ],
  'entra key of a person': [vendor('people are keyed by tenant and object id where configured')],
  'entra evidence': [vendor('acr "1" of the older version is no MFA'), vendor('ngcmfa is fresh MFA')],
  'entra step-up': [vendor('step-up asks for an authentication context and needs it back'), vendor('max_age is no lever there')],
  'entra client key': [oidc('client-authentication', 'is named by its id, and by the certificate that Entra finds it by')],
  'entra logout': [oidc('end-session', 'names the person as Entra names her')],
  'entra groups overage': [
    oidc('graph-groups', 'an authority for %s gives no token of its own'),
    vendor('more groups than fit are unknown'),
    oidc('graph-groups', 'Graph tells their ids'),
  ],
  'google hd': [vendor('hd is asked for as a hint and needed in the token')],
  'google prompt and auth_time': [vendor('prompt=login is never sent, and auth_time asked for by claims')],
  'google no groups, no MFA': [vendor('groups and a second factor never come')],
  'adfs names, issuer, MFA': [vendor('AD FS has names in upn, another access_token_issuer')],
  'auth0 slash': [vendor('Auth0 has a slash at the end of its issuer, which counts')],
  'auth0 groups': [vendor('Auth0 names groups by a URL of the company’s own')],
  'keycloak logout': [oidc('logout-token', 'a token $what is believed by the exception of its connection alone')],
  'keycloak acr': [vendor('Keycloak’s acr is a level')],
  'pingone acr': [vendor('PingOne answers with the name of the policy'), vendor('PingOne takes several sign-on policies at every login')],
  'pingfederate groups': [vendor('PingFederate names one group as text')],
  'pingam essential acr': [vendor('PingAM has an essential acr enforced')],
  'onelogin evidence': [vendor('OneLogin says neither acr nor auth_time')],
  'jumpcloud shared issuer': [vendor('JumpCloud shares one issuer with a slash')],
  'duo amr': [vendor('Duo proves no second factor unless amr is mapped')],
  'shibboleth class': [vendor('Shibboleth answers with a SAML class and amr as text')],
}

const strength: Readonly<Record<string, readonly Proof[]>> = {
  'categories are counted': [
    core('%s is knowledge: one factor'),
    core('%s is possession: one factor'),
    core('%s is inherence: one factor'),
  ],
  'what never raises the level': [core('%s raises nothing')],
  'mfa means MFA': [core('%s says several factors outright')],
  'phishing resistance': [core('%s, %s cannot be phished'), core('%s, %s is one factor')],
  'classes in the wild': [core('$acr is $strength')],
  'REFEDS exactly': [saml('authn-request', 'a step-up asks for REFEDS MFA, exactly, and for a fresh login')],
  'meaning per connection': [
    ['packages/core/src/policy/strength.test.ts', 'a tenant says what the evidence of its own IdPs means'],
    ['packages/core/src/policy/strength.test.ts', '%s is refused at save'],
    quirk('its class is a setting of the application'),
  ],
}

const sources = new Map<string, string | undefined>()
function sourceOf(file: string): string | undefined {
  if (!sources.has(file)) {
    try {
      sources.set(file, readFileSync(fileURLToPath(new URL(file, root)), 'utf8'))
    } catch {
      sources.set(file, undefined)
    }
  }
  return sources.get(file)
}

/** A title begins behind a quote. An empty one: the file itself is the proof, which another test reads. */
const stands = ([file, title]: Proof): boolean => {
  const source = sourceOf(file)
  return source !== undefined && (title === '' || ["'", '"', '`'].some((quote) => source.includes(quote + title)))
}

const tables = { rules, samlFacts, oidcFacts, strength }
test.each(Object.entries(tables))('%s: every fact has its test', (_, table) => {
  const gone = Object.entries(table).flatMap(([fact, proofs]) =>
    proofs.filter((proof) => !stands(proof)).map(([file, title]) => `${fact}: ${file}: ${title}`),
  )
  expect(gone).toEqual([])
  expect(Object.values(table).every((proofs) => proofs.length > 0)).toBe(true)
})

test('all twenty rules are here, or known to be proven elsewhere', () => {
  const named = [...Object.keys(rules), ...elsewhere].map((rule) => Number(/^rule (\d+)/.exec(rule)?.[1]))
  expect(named).toEqual(Array.from({ length: 20 }, (_, index) => index + 1))
})

test('no vendor is without a fact', () => {
  const without = (ids: readonly string[], table: object) =>
    ids.filter((id) => !Object.keys(table).some((fact) => fact.startsWith(`${id} `)))
  expect(without(Object.keys(vendors), samlFacts)).toEqual([])
  expect(without([...Object.keys(oidcVendors), 'pingfederate', 'shibboleth'], oidcFacts)).toEqual([])
})
