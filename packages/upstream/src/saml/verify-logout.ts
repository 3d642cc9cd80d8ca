/**
 * The pure entry point for logout: a message as it came, and everything it is compared with, to what the IdP said or the reason why not.
 *
 * Every one is signed, or nothing: the query of a redirect, the message itself by POST and SOAP. Only what was signed is read. Whether it was
 * seen before is not known here: the caller enters its id in the transaction that acts on it.
 */
import type { Instant } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { SamlConnection } from '../connection-configuration.js'
import type { UpstreamRefusal } from '../error.js'
import type { NameId } from './assertion-reader.js'
import { decodeMessage } from './decode-message.js'
import { type Element, walk } from './element.js'
import { type LogoutEnvelope, readLogoutEnvelope, readLogoutRequest, readLogoutResponse } from './logout-reader.js'
import { checkLogoutEnvelope, checkLogoutRequest, type ExpectedLogout, type LogoutOutcome, outcomeOf } from './logout-rules.js'
import { openNameId } from './open-name-id.js'
import { logoutMessageLimits, prescan } from './prescan.js'
import { replayableUntil } from './profile-rules.js'
import type { ReadMessage } from './read-message.js'
import { readRedirectMessage } from './redirect-message.js'
import { redirectLimits } from './redirect-query.js'
import type { ServiceProvider } from './service-provider.js'
import { allowedAlgorithms } from './signature-algorithms.js'
import { readerFor } from './signature-reader.js'
import { unwrapSoap } from './soap-message.js'

export type ReceivedLogout =
  /** Raw: as it stood behind the question mark. */
  | { readonly binding: 'redirect'; readonly query: string }
  | { readonly binding: 'post'; readonly form: Readonly<Record<string, string>> }
  /** The body, as UTF-8 text. */
  | { readonly binding: 'soap'; readonly body: string }

export type ExpectedLogoutMessage = {
  readonly connection: SamlConnection
  /** Exactly the URL of ours that it came to. */
  readonly destination: string
  readonly serviceProvider: ServiceProvider
  readonly now: Instant
}

type Common = {
  readonly id: string
  /** By POST it is not signed: it goes back to the IdP as it came and means nothing. */
  readonly relayState: string | undefined
  /** After this the message is refused for its age alone, so its replay entry may be swept. */
  readonly replayableUntil: Instant
}
export type SamlLogoutRequest = Common & {
  readonly kind: 'request'
  readonly nameId: NameId
  /** None: every session of hers. */
  readonly sessionIndexes: readonly string[]
}
export type SamlLogoutResponse = Common & {
  readonly kind: 'response'
  readonly inResponseTo: string | undefined
  readonly outcome: LogoutOutcome
}
export type SamlLogoutMessage = SamlLogoutRequest | SamlLogoutResponse

type Read<T> = Result<T, UpstreamRefusal>

/** @spec SAML Profiles §4.4 */
export function verifyLogout(received: ReceivedLogout, expected: ExpectedLogoutMessage): Read<SamlLogoutMessage> {
  const signed = readSigned(received, expected)
  if (!signed.ok) return signed
  const { element, relayState, carries } = signed.value
  const envelope = readLogoutEnvelope(element)
  if (!envelope.ok) return envelope
  if (envelope.value.kind !== (carries === 'SAMLRequest' ? 'request' : 'response')) return err({ reason: 'saml_not_a_logout_message' })
  const rules = rulesFor(expected)
  const checked = checkLogoutEnvelope(envelope.value, rules)
  if (!checked.ok) return checked
  const common = commonOf(envelope.value, relayState)
  return envelope.value.kind === 'request' ? toRequest(element, common, expected) : toResponse(element, common)
}

/** What the IdP calls itself in logout messages. */
export const logoutIssuersOf = ({ idpEntityId, sloIssuer }: SamlConnection): readonly string[] =>
  sloIssuer === undefined ? [idpEntityId] : [idpEntityId, sloIssuer]

const rulesFor = ({ connection, destination, now }: ExpectedLogoutMessage): ExpectedLogout => ({
  issuers: logoutIssuersOf(connection),
  destination,
  now,
  skewSeconds: connection.clockSkewSeconds,
})

const commonOf = ({ id, issueInstant }: LogoutEnvelope, relayState: string | undefined): Common => ({
  id,
  relayState,
  replayableUntil: replayableUntil(issueInstant as Instant),
})

function toRequest(element: Element, common: Common, expected: ExpectedLogoutMessage): Read<SamlLogoutRequest> {
  const facts = readLogoutRequest(element)
  if (!facts.ok) return facts
  const checked = checkLogoutRequest(facts.value, rulesFor(expected))
  if (!checked.ok) return checked
  const { nameId: named, sessionIndexes } = facts.value
  const nameId = named !== undefined && 'encrypted' in named ? openNameId(named.encrypted, expected) : ok(named as NameId)
  return nameId.ok ? ok({ kind: 'request', ...common, nameId: nameId.value, sessionIndexes }) : nameId
}

function toResponse(element: Element, common: Common): Read<SamlLogoutResponse> {
  const facts = readLogoutResponse(element)
  if (!facts.ok) return facts
  return ok({ kind: 'response', ...common, inResponseTo: facts.value.inResponseTo, outcome: outcomeOf(facts.value.statusCodes) })
}

type Carried = { readonly carries: 'SAMLRequest' | 'SAMLResponse'; readonly relayState: string | undefined }
type Signed = Carried & { readonly element: Element }

function readSigned(received: ReceivedLogout, expected: ExpectedLogoutMessage): Read<Signed> {
  if (received.binding === 'redirect') return readRedirected(received.query, expected)
  if (received.binding === 'soap') {
    const text = unwrapSoap(received.body)
    return text.ok ? readEnveloped(text.value, { carries: 'SAMLRequest', relayState: undefined }, expected) : text
  }
  const carried = readForm(received.form)
  if (!carried.ok) return carried
  const text = decodeMessage(carried.value.message)
  return text.ok ? readEnveloped(text.value, carried.value, expected) : text
}

function readForm(form: Readonly<Record<string, string>>): Read<Carried & { readonly message: string }> {
  const { SAMLRequest: request, SAMLResponse: response, RelayState: relayState } = form
  if (request !== undefined && response !== undefined) return err({ reason: 'saml_message_ambiguous' })
  const message = request ?? response ?? ''
  if (message === '') return err({ reason: 'saml_message_missing' })
  if ((relayState?.length ?? 0) > redirectLimits.relayStateLength)
    return err({ reason: 'saml_limit_exceeded', detail: { limit: 'relayState' } })
  return ok({ carries: request === undefined ? 'SAMLResponse' : 'SAMLRequest', relayState, message })
}

/** The query vouches for all of it. A signature inside, which the binding forbids, would only be one that nobody looks at. */
function readRedirected(query: string, { connection, serviceProvider, now }: ExpectedLogoutMessage): Read<Signed> {
  const allowed = allowedAlgorithms(serviceProvider.sha1Until, now)
  const message = readRedirectMessage(query, { certificates: connection.certificates, allowed })
  if (!message.ok) return message
  const { text, carries, relayState } = message.value
  const read = readSmall(text, { connection, serviceProvider, now })
  if (!read.ok) return read
  const isSignedInside = [...walk(read.value.root)].some(({ element }) => element.name === 'Signature')
  return isSignedInside ? err({ reason: 'saml_signature_misplaced' }) : ok({ element: read.value.root, carries, relayState })
}

function readSmall(text: string, { connection, serviceProvider, now }: Omit<ExpectedLogoutMessage, 'destination'>): Read<ReadMessage> {
  const scanned = prescan(text, logoutMessageLimits)
  return scanned.ok ? readerFor(connection.signatureReader, serviceProvider.sha1Until, now)(text) : scanned
}

/** Unsigned words can only refuse. Asking them first keeps strangers away from the costly part. */
function readEnveloped(text: string, { carries, relayState }: Carried, expected: ExpectedLogoutMessage): Read<Signed> {
  const read = readSmall(text, expected)
  if (!read.ok) return read
  const claimed = readLogoutEnvelope(read.value.root)
  if (!claimed.ok) return claimed
  const checked = checkLogoutEnvelope(claimed.value, rulesFor(expected))
  if (!checked.ok) return checked
  const signed = read.value.findSigned(expected.connection.certificates)
  if (!signed.ok) return signed
  const [part, second] = signed.value
  if (part === undefined || second !== undefined || part.of !== 'message') return err({ reason: 'saml_signature_misplaced' })
  return ok({ element: part.element, carries, relayState })
}
