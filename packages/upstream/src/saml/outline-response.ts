/** Describes a SAML response that was refused: read once more, by the same readers within the same limits, and reduced to what a trace may keep. */
import {
  type AnswerOutline,
  clip,
  clipped,
  compare,
  outlineClaims,
  outlineLimits,
  personal,
  type Shown,
  secondsAgo,
  timeText,
} from '../answer-outline.js'
import type { UpstreamMessage } from '../connector.js'
import type { UpstreamRefusal } from '../error.js'
import { type AssertionFacts, type ResponseFacts, readAssertion, readResponse } from './assertion-reader.js'
import { decodeMessage } from './decode-message.js'
import { attributeOf, childrenNamed, type Element, namespaces, walk } from './element.js'
import { isEncrypted, openEncrypted } from './open-encrypted.js'
import { samlProfileErrors } from './profile-error.js'
import type { ReadMessage, SignatureReader } from './read-message.js'
import { readRedirectMessage } from './redirect-message.js'
import { noServiceProvider } from './service-provider.js'
import { allowedAlgorithms } from './signature-algorithms.js'
import { readerFor } from './signature-reader.js'
import { type ExpectedSamlResponse, spEntityIdOf, vouchFor } from './verify-response.js'

type Telling = { readonly refusal: UpstreamRefusal; readonly shown: Shown }

/** Undefined: not even its text could be read. `values` shows them only where the refusal was proven to be about the IdP's own words. */
export function outlineResponse(
  arrived: UpstreamMessage,
  expected: ExpectedSamlResponse,
  { refusal, shown: asked }: Telling,
): AnswerOutline | undefined {
  const text = textOf(arrived, expected)
  if (text === undefined) return undefined
  const reader = readerFor(expected.connection.signatureReader, expected.serviceProvider?.sha1Until, expected.now)
  const message = reader(text)
  if (!message.ok) return undefined
  const { root } = message.value
  const envelope = readResponse(root)
  if (!envelope.ok) return undefined
  const vouched = arrived.binding === 'redirect' ? vouchFor(message.value) : message.value
  const isProven = refusal.proven === true || isSignedAllTheSame(vouched, expected, refusal)
  const shown = isProven ? asked : 'structure'
  const encrypted = [...walk(root)].some(isEncrypted)
  const element = isProven && (refusal.proven === true || !encrypted) ? believedAssertion(vouched, reader, expected) : plainAssertion(root)
  const read = element && readAssertion(element)
  const assertion = read?.ok === true ? read.value : undefined
  return {
    kind: 'saml',
    proven: isProven,
    compared: comparedOf(envelope.value, assertion, expected),
    issuedSecondsAgo: secondsAgo(assertion?.issueInstant ?? envelope.value.issueInstant, expected.now),
    claims: outlineClaims(assertion?.attributes ?? [], shown),
    response: {
      status: envelope.value.statusCodes.map(lastPart),
      issueInstant: timeText(envelope.value.issueInstant),
      inResponseTo: whose(envelope.value.inResponseTo, expected),
    },
    algorithms: algorithmsIn(root),
    encrypted,
    assertion: assertion && outlineAssertion(assertion, expected, shown),
  }
}

/** Of a redirect nothing is inflated whose signature does not hold: there is then nothing to describe. */
function textOf(arrived: UpstreamMessage, { connection, serviceProvider, now }: ExpectedSamlResponse): string | undefined {
  if (arrived.binding === 'redirect') {
    const allowed = allowedAlgorithms(serviceProvider?.sha1Until, now)
    const read = readRedirectMessage(arrived.query, { certificates: connection.certificates, allowed })
    return read.ok ? read.value.text : undefined
  }
  const decoded = decodeMessage(arrived.parameters.get('SAMLResponse') ?? '')
  return decoded.ok ? decoded.value : undefined
}

/**
 * Words of the envelope are asked before the signature is looked at. Whether they are the IdP's own is what an admin wants to know, and who
 * has only strangers' words to send shall not crowd those out. Nothing is decrypted for it.
 */
const isSignedAllTheSame = ({ findSigned }: ReadMessage, { connection }: ExpectedSamlResponse, { reason }: UpstreamRefusal): boolean =>
  reason in samlProfileErrors && findSigned(connection.certificates).ok

const plainAssertion = (element: Element): Element | undefined => childrenNamed(element, namespaces.assertion, 'Assertion')[0]

/**
 * The assertion that a key of the connection vouched for. What is encrypted is opened only here, after everything that could be probed has
 * held: whoever sends cipher texts learns nothing by how long this takes.
 */
function believedAssertion(message: ReadMessage, reader: SignatureReader, expected: ExpectedSamlResponse): Element | undefined {
  const { connection, serviceProvider = noServiceProvider } = expected
  if ([...walk(message.root)].some(isEncrypted)) {
    const opened = openEncrypted(message, { reader, connection, serviceProvider })
    return opened.ok ? opened.value.assertion : undefined
  }
  const signed = message.findSigned(connection.certificates)
  if (!signed.ok) return undefined
  const ofAssertion = signed.value.find((part) => part.of === 'assertion')?.element
  return ofAssertion ?? (signed.value[0] && plainAssertion(signed.value[0].element))
}

const whose = (inResponseTo: string | undefined, { expectedRequestId }: ExpectedSamlResponse): 'ours' | 'another' | 'absent' =>
  inResponseTo === undefined ? 'absent' : inResponseTo === expectedRequestId ? 'ours' : 'another'

function comparedOf(response: ResponseFacts, assertion: AssertionFacts | undefined, expected: ExpectedSamlResponse) {
  const { connection, acsUrl } = expected
  const ofResponse = [
    compare('issuer of the response', connection.idpEntityId, [response.issuer ?? (assertion && connection.idpEntityId)]),
    compare('destination', acsUrl, [response.destination]),
  ]
  if (assertion === undefined) return ofResponse
  return [
    ...ofResponse,
    compare('issuer of the assertion', connection.idpEntityId, [assertion.issuer]),
    compare('audience', spEntityIdOf(connection, acsUrl), assertion.conditions?.audienceRestrictions.flat() ?? []),
    compare(
      'recipient',
      acsUrl,
      assertion.confirmations.map(({ recipient }) => recipient),
    ),
  ]
}

function outlineAssertion(assertion: AssertionFacts, expected: ExpectedSamlResponse, shown: Shown) {
  const { nameId, conditions } = assertion
  const statement = assertion.authnStatements[0]
  return {
    issueInstant: timeText(assertion.issueInstant),
    notBefore: timeText(conditions?.notBefore),
    notOnOrAfter: timeText(conditions?.notOnOrAfter),
    nameId: nameId && { format: clipped(nameId.format), value: personal(nameId.value, shown) },
    confirmations: assertion.confirmations.slice(0, outlineLimits.compared).map((each) => ({
      inResponseTo: whose(each.inResponseTo, expected),
      notOnOrAfter: timeText(each.notOnOrAfter),
    })),
    authnInstant: timeText(statement?.authnInstant),
    sessionNotOnOrAfter: timeText(statement?.sessionNotOnOrAfter),
    classRef: clipped(statement?.classRef),
  }
}

const lastPart = (uri: string): string => clip(uri.split(/[:#/]/).at(-1) ?? '')

/** Names of algorithms, as the message gives them; never what was made with them. */
const withAlgorithm: readonly string[] = ['SignatureMethod', 'DigestMethod', 'EncryptionMethod', 'CanonicalizationMethod']
const algorithmsIn = (root: Element): readonly string[] => {
  const found = [...walk(root)].flatMap(({ element }) =>
    withAlgorithm.includes(element.name) ? [`${element.name} ${lastPart(attributeOf(element, 'Algorithm') ?? '(none)')}`] : [],
  )
  return [...new Set(found)].slice(0, outlineLimits.algorithms)
}
