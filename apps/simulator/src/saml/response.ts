/** Builds the SAML response: plain data to XML, signed by samlify, and broken in exactly the way an armed fault card says. */
import { randomBytes } from 'node:crypto'
import samlify from 'samlify'
import type { Person } from '../companies.js'
import { clockSkewSeconds, type FaultId, shortSessionSeconds } from '../faults.js'
import { bareCertificate, type CompanyKeys, type SigningPair } from '../keys.js'
import { escapeHtml } from '../pages/html.js'

export const mfaClassRef = 'https://refeds.org/profile/mfa'
export const passwordClassRef = 'urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport'
const overageAttribute = 'http://schemas.microsoft.com/claims/groups.link'
const lifetimeSeconds = 300
const sessionSeconds = 8 * 3600
const clockToleranceSeconds = 30

export type Sign = 'response' | 'assertion' | 'both'

export type ResponseInput = {
  readonly person: Person
  readonly withMfa: boolean
  /** How long ago she signed in at the IdP. */
  readonly sessionAgeSeconds: number
  readonly idpEntityId: string
  readonly spEntityId: string
  readonly acsUrl: string
  /** Undefined: nobody asked, a tile of the portal was clicked. @spec SAML Profiles §4.1.5 */
  readonly inResponseTo: string | undefined
  readonly sessionIndex: string
  readonly sign: Sign
  readonly keys: CompanyKeys
  readonly faults: ReadonlySet<FaultId>
  readonly now: Date
}

/** The XML text of the response. @spec SAML Core §3.2.2 @spec SAML Profiles §4.1.4.2 */
export function buildResponse(input: ResponseInput): string {
  const { faults } = input
  const pair = faults.has('expired-certificate') ? input.keys.expired : input.keys.current
  const unsigned = responseXml(input, assertionXml(input, input.person, newId()))
  if (faults.has('unsigned')) return unsigned
  if (faults.has('signature-wrapping')) return wrap(input, signAssertion(unsigned, pair))
  const inner = input.sign === 'response' ? unsigned : signAssertion(unsigned, pair)
  return input.sign === 'assertion' ? inner : signResponse(inner, pair)
}

/** A forged sibling stands before the assertion that was signed: a reader that verifies one and reads the other is fooled. */
function wrap(input: ResponseInput, signed: string): string {
  const forged = { ...input.person, id: `${input.person.id}-forged`, email: 'root@forged.example', groups: ['administrators'] }
  return signed.replace('<saml:Assertion ', () => `${assertionXml(input, forged, newId())}<saml:Assertion `)
}

function responseXml(input: ResponseInput, assertion: string): string {
  return fill(
    '<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{ID}" Version="2.0" ' +
      `IssueInstant="{At}" Destination="{Acs}"${answering(input)}><saml:Issuer>{Idp}</saml:Issuer>` +
      '<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>',
    { ID: newId(), At: instant(input, 0), Acs: input.acsUrl, To: input.inResponseTo ?? '', Idp: input.idpEntityId },
  ).concat(assertion, '</samlp:Response>')
}

function assertionXml(input: ResponseInput, person: Person, id: string): string {
  const audience = input.faults.has('wrong-audience') ? 'https://another-service.example/saml' : input.spEntityId
  const head = fill(
    '<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{ID}" Version="2.0" IssueInstant="{At}"><saml:Issuer>{Idp}</saml:Issuer>' +
      '<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">{NameID}</saml:NameID>' +
      '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">' +
      `<saml:SubjectConfirmationData NotOnOrAfter="{End}" Recipient="{Acs}"${answering(input)}/></saml:SubjectConfirmation></saml:Subject>` +
      '<saml:Conditions NotBefore="{Start}" NotOnOrAfter="{End}"><saml:AudienceRestriction><saml:Audience>{Audience}</saml:Audience>' +
      '</saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="{SignedIn}" SessionIndex="{Session}" SessionNotOnOrAfter="{SessionEnd}">' +
      '<saml:AuthnContext><saml:AuthnContextClassRef>{Class}</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>',
    {
      ID: id,
      At: instant(input, 0),
      SignedIn: instant(input, -input.sessionAgeSeconds),
      Idp: input.idpEntityId,
      NameID: person.id,
      Acs: input.acsUrl,
      To: input.inResponseTo ?? '',
      Start: instant(input, -clockToleranceSeconds),
      End: instant(input, lifetimeSeconds),
      SessionEnd: instant(input, input.faults.has('short-session') ? shortSessionSeconds : sessionSeconds),
      Session: input.sessionIndex,
      Audience: audience,
      Class: input.withMfa && !input.faults.has('no-mfa') ? mfaClassRef : passwordClassRef,
    },
  )
  return `${head}<saml:AttributeStatement>${attributes(input, person).join('')}</saml:AttributeStatement></saml:Assertion>`
}

const answering = ({ inResponseTo }: ResponseInput): string => (inResponseTo === undefined ? '' : ' InResponseTo="{To}"')

function attributes(input: ResponseInput, person: Person): readonly string[] {
  const plain = [
    attribute('email', [person.email]),
    attribute('firstName', [person.givenName]),
    attribute('lastName', [person.familyName]),
    attribute('displayName', [`${person.givenName} ${person.familyName}`]),
    attribute('title', [person.title]),
  ]
  if (input.faults.has('groups-overage'))
    return [
      ...plain,
      attribute(overageAttribute, [`https://graph.windows.net/00000000-0000-0000-0000-000000000000/users/${person.id}/getMemberObjects`]),
    ]
  if (input.faults.has('missing-groups') || person.groups === undefined) return plain
  return [...plain, attribute('groups', person.groups)]
}

function attribute(name: string, values: readonly string[]): string {
  const format = name.startsWith('http') ? 'uri' : 'basic'
  const cells = values.map((value) => `<saml:AttributeValue>${escapeHtml(value)}</saml:AttributeValue>`).join('')
  return `<saml:Attribute Name="${escapeHtml(name)}" NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:${format}">${cells}</saml:Attribute>`
}

const responseIssuer = "/*[local-name(.)='Response']/*[local-name(.)='Issuer']"
const assertionPath = "/*[local-name(.)='Response']/*[local-name(.)='Assertion']"

function signAssertion(xml: string, pair: SigningPair): string {
  return sign(xml, pair, { referenceTagXPath: assertionPath, after: `${assertionPath}/*[local-name(.)='Issuer']` })
}

function signResponse(xml: string, pair: SigningPair): string {
  return sign(xml, pair, { after: responseIssuer })
}

function sign(xml: string, pair: SigningPair, where: { readonly referenceTagXPath?: string; readonly after: string }): string {
  return samlify.SamlLib.constructSAMLSignature({
    rawSamlMessage: xml,
    ...(where.referenceTagXPath === undefined ? { isMessageSigned: true } : { referenceTagXPath: where.referenceTagXPath }),
    privateKey: pair.privateKeyPem,
    signatureAlgorithm: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    signingCert: bareCertificate(pair.certificatePem),
    isBase64Output: false,
    signatureConfig: { prefix: 'ds', location: { reference: where.after, action: 'after' } },
  })
}

/** Samlify's own template filler: escapes every value. */
function fill(template: string, values: Readonly<Record<string, string>>): string {
  return samlify.SamlLib.replaceTagsByValue(template, { ...values })
}

function instant(input: ResponseInput, offsetSeconds: number): string {
  const skewSeconds = input.faults.has('clock-skew') ? clockSkewSeconds : 0
  return new Date(input.now.getTime() + (offsetSeconds + skewSeconds) * 1000).toISOString()
}

function newId(): string {
  return `_${randomBytes(20).toString('hex')}`
}
