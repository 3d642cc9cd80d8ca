/**
 * A company's SAML IdP in the bench's own process, so that its CPU is in no figure. Whoever asks gets the same message about another
 * of its people: 6.5 KB, the assertion signed with RSA-2048 and SHA-256, the certificate in KeyInfo, nine attribute values, and
 * encrypted where that is asked for.
 *
 * What is signed is written in its canonical form, so that no library has to make it: a thousand messages cost a second, not a minute.
 */
import { createHash, randomBytes, sign } from 'node:crypto'
import { inflateRawSync } from 'node:zlib'
import { aFixtureKey } from '@drawbridge/upstream/saml/fixtures/a-certificate'
import { algorithms, encodeMessage } from '@drawbridge/upstream/saml/fixtures/a-saml-response'
import { encryptAssertion } from '@drawbridge/upstream/saml/fixtures/an-encrypted-assertion'

/** What is read out of an AuthnRequest and who signs in, or told for a library that is handed a message without having asked. */
export type Asked = { readonly requestId: string; readonly acsUrl: string; readonly audience: string; readonly person: string }

export type BenchIdp = {
  readonly entityId: string
  readonly ssoUrl: string
  /** PEM. */
  readonly certificate: string
  readonly metadata: string
  /** The AuthnRequest in the URL to which a browser was sent; the next of the IdP's people signs in. */
  read(url: string): Asked
  /** As XML. `encryptTo`: PEM of whom the assertion is encrypted to, AES-256-GCM and RSA-OAEP. */
  answer(asked: Asked, encryptTo?: string): string
}

/** One value as long as this, as a directory's distinguished names are, makes a message of 6.5 KB. */
const longValue = 1700
const sixHours = 6 * 3600
/** More than there are connections by far: one person who signs in on all of them at once waits for her own row. */
const people = 256
const entityId = 'https://idp.bench.example/saml'
const ssoUrl = 'https://idp.bench.example/sso'
const bearer = 'urn:oasis:names:tc:SAML:2.0:cm:bearer'
const protocol = 'urn:oasis:names:tc:SAML:2.0:protocol'
const assertion = 'urn:oasis:names:tc:SAML:2.0:assertion'

const newId = (): string => `_${randomBytes(20).toString('hex')}`
const fromNow = (seconds: number): string => new Date(Date.now() + seconds * 1000).toISOString()

export function createBenchIdp(): BenchIdp {
  const { certificate, privateKey } = aFixtureKey()
  let signedIn = 0
  return {
    entityId,
    ssoUrl,
    certificate,
    metadata: metadataXml(certificate),
    read: (url) => {
      signedIn += 1
      return { ...readRequest(url), person: `ada${signedIn % people}` }
    },
    answer: (asked, encryptTo) => {
      const id = newId()
      const canonical = assertionXml(asked, id)
      const info = signedInfo(id, createHash('sha256').update(canonical).digest('base64'))
      const value = sign('sha256', Buffer.from(info), privateKey).toString('base64')
      const at = canonical.indexOf('<saml:Subject>')
      const signed = canonical.slice(0, at) + signatureXml(info, value, certificate) + canonical.slice(at)
      return responseXml(asked, encryptTo === undefined ? signed : encryptAssertion(signed, { certificate: encryptTo }))
    },
  }
}

const xmldsig = 'http://www.w3.org/2000/09/xmldsig#'
const withoutFrame = (certificate: string): string => certificate.replace(/-----[^-]+-----|\s/g, '')

const signedInfo = (id: string, digest: string): string =>
  `<ds:SignedInfo xmlns:ds="${xmldsig}"><ds:CanonicalizationMethod Algorithm="${algorithms.exclusive}"></ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="${algorithms.rsaSha256}"></ds:SignatureMethod><ds:Reference URI="#${id}"><ds:Transforms><ds:Transform Algorithm="${algorithms.enveloped}"></ds:Transform><ds:Transform Algorithm="${algorithms.exclusive}"></ds:Transform></ds:Transforms><ds:DigestMethod Algorithm="${algorithms.sha256}"></ds:DigestMethod><ds:DigestValue>${digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>`

const signatureXml = (info: string, value: string, certificate: string): string =>
  `<ds:Signature xmlns:ds="${xmldsig}">${info}<ds:SignatureValue>${value}</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>${withoutFrame(certificate)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>`

/** As a browser posts it. */
export const asParameter = (xml: string): string => encodeMessage(xml)

function readRequest(url: string): Omit<Asked, 'person'> {
  const deflated = new URL(url).searchParams.get('SAMLRequest') ?? ''
  const xml = inflateRawSync(Buffer.from(deflated, 'base64')).toString('utf8')
  const find = (pattern: RegExp): string => {
    const found = pattern.exec(xml)?.[1]
    if (found === undefined) throw new Error(`this is no AuthnRequest that the bench can answer: ${xml}`)
    return found
  }
  return {
    requestId: find(/\sID="([^"]+)"/),
    acsUrl: find(/AssertionConsumerServiceURL="([^"]+)"/),
    audience: find(/<(?:\w+:)?Issuer[^>]*>([^<]+)</),
  }
}

const responseXml = ({ requestId, acsUrl }: Asked, inside: string): string =>
  `<samlp:Response xmlns:samlp="${protocol}" xmlns:saml="${assertion}" ID="${newId()}" Version="2.0" IssueInstant="${fromNow(0)}" Destination="${acsUrl}" InResponseTo="${requestId}"><saml:Issuer>${entityId}</saml:Issuer><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>${inside}</samlp:Response>`

function assertionXml({ requestId, acsUrl, audience, person }: Asked, id: string): string {
  // Prepared minutes before it is used, so it is valid longer than an IdP would make it.
  const until = fromNow(sixHours)
  const subject = `<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress">${person}@bench.example</saml:NameID><saml:SubjectConfirmation Method="${bearer}"><saml:SubjectConfirmationData InResponseTo="${requestId}" NotOnOrAfter="${until}" Recipient="${acsUrl}"></saml:SubjectConfirmationData></saml:SubjectConfirmation></saml:Subject>`
  const conditions = `<saml:Conditions NotBefore="${fromNow(-60)}" NotOnOrAfter="${until}"><saml:AudienceRestriction><saml:Audience>${audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions>`
  const statement = `<saml:AuthnStatement AuthnInstant="${fromNow(-5)}" SessionIndex="${id}"><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>`
  return `<saml:Assertion xmlns:saml="${assertion}" ID="${id}" IssueInstant="${fromNow(0)}" Version="2.0"><saml:Issuer>${entityId}</saml:Issuer>${subject}${conditions}${statement}<saml:AttributeStatement>${attributesXml(person)}</saml:AttributeStatement></saml:Assertion>`
}

function attributesXml(person: string): string {
  const one = (name: string, ...values: readonly string[]): string =>
    `<saml:Attribute Name="${name}" NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified">${values
      .map((value) => `<saml:AttributeValue>${value}</saml:AttributeValue>`)
      .join('')}</saml:Attribute>`
  const her = one('email', `${person}@bench.example`) + one('firstName', 'Ada') + one('lastName', 'Lovelace') + one('id', person)
  return (
    her +
    one('groups', 'staff', 'engineering', 'mcp-users', 'berlin') +
    one('distinguishedName', `CN=Ada,${'OU=engineering,'.repeat(Math.floor(longValue / 15))}O=Bench`)
  )
}

const metadataXml = (certificate: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?><md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="${entityId}"><md:IDPSSODescriptor WantAuthnRequestsSigned="false" protocolSupportEnumeration="${protocol}"><md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>${withoutFrame(certificate)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor><md:NameIDFormat>urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress</md:NameIDFormat><md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="${ssoUrl}"/><md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="${ssoUrl}"/></md:IDPSSODescriptor></md:EntityDescriptor>`
