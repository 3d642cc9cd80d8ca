/**
 * The pure entry points: one response, and everything it is compared with, to a verified assertion or the reason why not.
 *
 * decode → read → which parts are signed → read only those → profile rules. No clock, no chance, no I/O; it does
 * not know whether the message was seen before: the caller consumes the login request and the ids in one statement.
 */

import type { SamlAssertion } from '@drawbridge/core/identity/identity-assertion'
import type { Instant } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import type { SamlConnection } from '../connection-configuration.js'
import type { UpstreamRefusal } from '../error.js'
import { type AssertionFacts, type ResponseFacts, readAssertion, readResponse } from './assertion-reader.js'
import { decodeMessage } from './decode-message.js'
import { attributeOf, childrenNamed, type Element, namespaces, walk } from './element.js'
import { checkOneEncrypted, isEncrypted, openEncrypted, unlessUnsigned } from './open-encrypted.js'
import { openNameId } from './open-name-id.js'
import { checkAssertion, checkResponse, type ExpectedAssertion, type ExpectedResponse } from './profile-rules.js'
import type { ReadMessage, SignatureReader, SignedPart } from './read-message.js'
import { readRedirectMessage } from './redirect-message.js'
import { saidIn } from './said-in-assertion.js'
import { noServiceProvider, type ServiceProvider } from './service-provider.js'
import { allowedAlgorithms } from './signature-algorithms.js'
import { readerFor } from './signature-reader.js'

export type SamlRefusal = UpstreamRefusal

export type ExpectedSamlResponse = {
  readonly connectionId: ConnectionId
  readonly connection: SamlConnection
  /** Exactly the URL that the AuthnRequest named. */
  readonly acsUrl: string
  readonly expectedRequestId: string
  readonly now: Instant
  /** Keys of ours and exceptions; none where the connection needs none. */
  readonly serviceProvider?: ServiceProvider
}

/** Our entity ID at this IdP: configured, or the address of our own metadata beside the ACS. */
export const spEntityIdOf = (connection: SamlConnection, acsUrl: string): string =>
  connection.spEntityId ?? acsUrl.replace(/\/acs$/, '/metadata')

/** Of a form. @spec SAML Profiles §4.1.4 */
export function verifySamlResponse(parameter: string, expected: ExpectedSamlResponse): Result<SamlAssertion, SamlRefusal> {
  const text = decodeMessage(parameter)
  return text.ok ? judge(text.value, expected, 'unsigned') : text
}

/**
 * Of a redirect; `query` is raw. Its signature covers all of the response, so nothing inside needs another; one that is there must hold.
 *
 * @spec SAML Bindings §3.4.4.1
 */
export function verifyRedirectedResponse(query: string, expected: ExpectedSamlResponse): Result<SamlAssertion, SamlRefusal> {
  const { connection, serviceProvider, now } = expected
  const allowed = allowedAlgorithms(serviceProvider?.sha1Until, now)
  const message = readRedirectMessage(query, { certificates: connection.certificates, allowed })
  if (!message.ok) return message
  return message.value.carries === 'SAMLResponse' ? judge(message.value.text, expected, 'signed') : err({ reason: 'saml_response_missing' })
}

/** What brought the text: `signed`, a key of the connection has vouched for every octet of it. */
type Envelope = 'signed' | 'unsigned'

function judge(text: string, expected: ExpectedSamlResponse, around: Envelope): Result<SamlAssertion, SamlRefusal> {
  const reader = readerFor(expected.connection.signatureReader, expected.serviceProvider?.sha1Until, expected.now)
  const message = reader(text)
  if (!message.ok) return message
  const { root } = message.value
  const envelope = readResponse(root)
  if (!envelope.ok) return envelope
  const rules = rulesFor(expected)
  // An IdP that reports an error sends no assertion and often no signature: say what it said. Nothing is given on this path.
  if (isErrorWithoutAssertion(envelope.value, root)) return checkResponse(envelope.value, false, rules) as Result<never, SamlRefusal>
  const alone = checkForm(root, expected.connection)
  if (!alone.ok) return alone
  // Unsigned words can only refuse. Asking them first keeps whoever has no pending login away from the costly part.
  const claimed = checkResponse(envelope.value, false, rules)
  if (!claimed.ok) return claimed
  const vouched = around === 'signed' ? vouchFor(message.value) : message.value
  const read = readBelieved(vouched, reader, expected)
  if (!read.ok) return read
  const named = openName(read.value, expected)
  if (!named.ok) return named
  const judged = checkBelieved(named.value, envelope.value, rules)
  if (!judged.ok) return err(named.value.mayBeProbed ? { reason: 'saml_decryption_failed' } : { ...judged.error, proven: true })
  return ok(toSamlAssertion(expected, named.value.response ?? envelope.value, named.value.assertion))
}

/** A signature holds over the cipher text, so that it is the IdP's own. One that stands beside a NameID is left for the rules to refuse. */
function openName(read: SignedFacts, expected: ExpectedSamlResponse): Result<SignedFacts, SamlRefusal> {
  const { encryptedId, nameId } = read.assertion
  if (encryptedId === undefined || nameId !== undefined) return ok(read)
  const { connection, serviceProvider = noServiceProvider } = expected
  const opened = openNameId(encryptedId, { connection, serviceProvider })
  return opened.ok ? ok({ ...read, assertion: { ...read.assertion, nameId: opened.value, encryptedId: undefined } }) : opened
}

/** The root counts as signed, whatever is signed in it besides. */
export const vouchFor = ({ root, findSigned }: ReadMessage): ReadMessage => ({
  root,
  findSigned: (certificates) => {
    const inside = unlessUnsigned(findSigned(certificates))
    if (!inside.ok) return inside
    const whole: SignedPart = { of: 'message', id: attributeOf(root, 'ID') ?? '', element: root }
    return ok([whole, ...inside.value.filter(({ of }) => of === 'assertion')])
  },
})

function checkBelieved({ response, assertion }: SignedFacts, envelope: ResponseFacts, rules: Rules): Result<undefined, SamlRefusal> {
  const judged = checkResponse(response ?? envelope, response !== undefined, rules)
  return judged.ok ? checkAssertion(assertion, rules) : judged
}

type Rules = ExpectedResponse & ExpectedAssertion

const rulesFor = ({ connection, acsUrl, expectedRequestId, now }: ExpectedSamlResponse): Rules => ({
  idpEntityId: connection.idpEntityId,
  audiences: [spEntityIdOf(connection, acsUrl)],
  acsUrl,
  recipient: acsUrl,
  requestId: expectedRequestId,
  needsNameId: connection.mapping.stableId.from === 'protocol',
  needsAuthnStatement: true,
  now,
  skewSeconds: connection.clockSkewSeconds,
})

const successCode = 'urn:oasis:names:tc:SAML:2.0:status:Success'
const isErrorWithoutAssertion = (response: ResponseFacts, root: Element): boolean =>
  response.statusCodes[0] !== undefined &&
  response.statusCodes[0] !== successCode &&
  ![...walk(root)].some(({ element }) => element.name.endsWith('Assertion'))

/** Exactly one assertion in the whole message, a child of the response; none hidden in Extensions, Advice, Object or anywhere else. */
function checkOneAssertion(root: Element): Result<undefined, UpstreamRefusal> {
  let count = 0
  for (const placed of walk(root)) {
    if (isEncrypted(placed)) return err({ reason: 'saml_encrypted_assertion' })
    if (placed.element.name === 'Assertion') count += 1
  }
  return count === 1 && childrenNamed(root, namespaces.assertion, 'Assertion').length === 1
    ? ok(undefined)
    : err({ reason: 'saml_assertion_count', detail: { count } })
}

const isAnyEncrypted = (root: Element): boolean => [...walk(root)].some(isEncrypted)

/** Encrypted where the connection accepts that, plain where it does not demand more; one assertion in any case. */
function checkForm(root: Element, { encryption }: SamlConnection): Result<undefined, UpstreamRefusal> {
  if (encryption !== 'off' && isAnyEncrypted(root)) return checkOneEncrypted(root)
  const alone = checkOneAssertion(root)
  return alone.ok && encryption === 'required' ? err({ reason: 'saml_encryption_required' }) : alone
}

/** What a key of the connection vouches for: its response if that is signed, and its assertion, opened first where it is encrypted. */
function readBelieved(message: ReadMessage, reader: SignatureReader, expected: ExpectedSamlResponse): Result<SignedFacts, UpstreamRefusal> {
  const { connection, serviceProvider = noServiceProvider } = expected
  if (!isAnyEncrypted(message.root)) {
    const signed = message.findSigned(connection.certificates)
    return signed.ok ? readSigned(signed.value) : signed
  }
  const opened = openEncrypted(message, { reader, connection, serviceProvider })
  if (!opened.ok) return opened
  const response = opened.value.response === undefined ? ok(undefined) : readResponse(opened.value.response)
  const assertion = readAssertion(opened.value.assertion)
  if (!response.ok) return response
  const { mayBeProbed } = opened.value
  if (assertion.ok) return ok({ response: response.value, assertion: assertion.value, mayBeProbed })
  return mayBeProbed ? err({ reason: 'saml_decryption_failed' }) : assertion
}

type SignedFacts = { readonly response: ResponseFacts | undefined; readonly assertion: AssertionFacts; readonly mayBeProbed: boolean }

/** From here on only what a key of the connection signed is looked at for who the person is. */
function readSigned(signed: readonly SignedPart[]): Result<SignedFacts, UpstreamRefusal> {
  let response: ResponseFacts | undefined
  let assertion: Element | undefined
  for (const part of signed) {
    const { element } = part
    if (part.of === 'assertion') {
      // Where both are signed, the response's octets hold the assertion too; both readings must then be of one and the same id.
      if (assertion !== undefined && attributeOf(assertion, 'ID') !== part.id) return err({ reason: 'saml_signature_invalid' })
      assertion = element
      continue
    }
    const facts = readResponse(element)
    if (!facts.ok) return facts
    const alone = checkOneAssertion(element)
    if (!alone.ok) return alone
    response = facts.value
    assertion = childrenNamed(element, namespaces.assertion, 'Assertion')[0]
  }
  if (assertion === undefined) return err({ reason: 'saml_unsigned' })
  const facts = readAssertion(assertion)
  return facts.ok ? ok({ response, assertion: facts.value, mayBeProbed: false }) : facts
}

const toSamlAssertion = (expected: ExpectedSamlResponse, response: ResponseFacts, assertion: AssertionFacts): SamlAssertion => ({
  ...saidIn(assertion),
  connectionId: expected.connectionId,
  responseId: response.id,
  sessionIndex: assertion.authnStatements[0]?.sessionIndex,
})
