/**
 * The one place where a SAML assertion that a client brings is believed: read, signed by a key of the trusted issuer, and made for our token
 * endpoint. The reader, the signature and the rules are those of a login; other here is only what an assertion is held against.
 *
 * One that was made for a login is for another recipient and another audience and answers a request, so none of a login is worth anything here,
 * and none of these is at an assertion consumer service.
 *
 * Reading says whose it claims to be and nothing more. Whoever it names, it is the whole document: there is nothing around it in which another
 * could stand.
 *
 * @spec RFC 7522 §3
 */
import type { SamlGrantAssertion } from '@drawbridge/core/identity/identity-assertion'
import type { Instant } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { thumbprint } from '@drawbridge/crypto/signing-keys'
import type { SamlTrust } from '../assertion/saml-trust.js'
import type { UpstreamErrorReason, UpstreamRefusal } from '../error.js'
import { type AssertionFacts, readAssertion } from './assertion-reader.js'
import { decodeBroughtAssertion } from './decode-message.js'
import { decryptAssertion } from './decrypt-assertion.js'
import { childrenNamed, type Element, isNamed, namespaces, textOf, walk } from './element.js'
import { readEncryptedAssertion } from './encrypted-assertion.js'
import { isEncrypted } from './open-encrypted.js'
import { openNameId } from './open-name-id.js'
import { checkAssertion, type ExpectedAssertion } from './profile-rules.js'
import type { ReadMessage } from './read-message.js'
import { saidIn } from './said-in-assertion.js'
import type { ServiceProvider } from './service-provider.js'
import { keysOf } from './signature-algorithms.js'
import { readWithXmlSignature } from './xml-signature-reader.js'

type Checked<T> = Result<T, UpstreamRefusal>
const refuse = (reason: UpstreamErrorReason): { readonly ok: false; readonly error: UpstreamRefusal } => err({ reason })

/** Read, and believed in nothing. */
export type BroughtAssertion = {
  readonly message: ReadMessage
  readonly wasEncrypted: boolean
  /** Whose it says that it is. */
  readonly issuer: string | undefined
}

/** `opener`: keys of ours, where some trust accepts what is encrypted to them; otherwise none is asked. */
export function readBroughtAssertion(
  parameter: string,
  opener: Pick<ServiceProvider, 'decrypting'> | undefined,
): Checked<BroughtAssertion> {
  const text = decodeBroughtAssertion(parameter)
  if (!text.ok) return text
  const message = readWithXmlSignature(text.value)
  if (!message.ok) return message
  if (!isNamed(message.value.root, namespaces.assertion, 'EncryptedAssertion')) return asBrought(message.value, false)
  const inside = open(message.value.root, opener)
  if (!inside.ok) return inside
  const opened = readWithXmlSignature(inside.value)
  return opened.ok ? asBrought(opened.value, true) : opened
}

function asBrought(message: ReadMessage, wasEncrypted: boolean): Checked<BroughtAssertion> {
  const alone = checkAlone(message.root)
  if (!alone.ok) return alone
  const [issuer] = childrenNamed(message.root, namespaces.assertion, 'Issuer')
  return ok({ message, wasEncrypted, issuer: issuer && textOf(issuer) })
}

/** The document is one assertion, and there is no other in it, in Advice, in an Object or anywhere, plain or encrypted. */
function checkAlone(root: Element): Checked<undefined> {
  if (!isNamed(root, namespaces.assertion, 'Assertion')) return refuse('saml_not_an_assertion')
  let count = 0
  for (const placed of walk(root)) {
    if (isEncrypted(placed)) return refuse('saml_encrypted_assertion')
    if (placed.element.name === 'Assertion') count += 1
  }
  return count === 1 ? ok(undefined) : err({ reason: 'saml_assertion_count', detail: { count } })
}

/**
 * What anybody may have encrypted to our key: a text like any other, in which nothing is believed for it. Authenticated ciphers alone: whoever
 * brings a changed text learns nothing by how it is refused.
 */
function open(root: Element, opener: Pick<ServiceProvider, 'decrypting'> | undefined): Checked<string> {
  if (opener === undefined) return refuse('saml_encrypted_assertion')
  const encrypted = readEncryptedAssertion(root, 'gcm')
  if (!encrypted.ok) return encrypted
  if (opener.decrypting.length === 0) return refuse('sp_key_missing')
  const keys = opener.decrypting.map(({ privateKey }) => privateKey())
  const text = decryptAssertion(encrypted.value, keys)
  return text === undefined ? refuse('saml_decryption_failed') : ok(text)
}

export type ExpectedBroughtAssertion = {
  readonly trust: ResolvedIssuer
  /** Of the trust. */
  readonly connectionId: ConnectionId
  /** The only audiences that it may name, byte for byte: each is a name of this tenant. */
  readonly audiences: readonly string[]
  /** Our token endpoint, byte for byte. */
  readonly recipient: string
  readonly opener: Pick<ServiceProvider, 'decrypting'>
  readonly now: Instant
}
/** A trust, and who the issuer and which its keys are now. */
export type ResolvedIssuer = Pick<SamlTrust, 'encryption' | 'authnInstant' | 'clockSkewSeconds' | 'mapping'> & {
  readonly issuer: string
  /** PEM. */
  readonly certificates: readonly string[]
}

export function verifyBroughtAssertion(brought: BroughtAssertion, expected: ExpectedBroughtAssertion): Checked<SamlGrantAssertion> {
  const form = checkForm(brought, expected.trust)
  if (!form.ok) return form
  const signed = findSigned(brought.message, expected.trust.certificates)
  if (!signed.ok) return signed
  const judged = judge(signed.value, expected)
  if (!judged.ok) return err({ ...judged.error, proven: true })
  const said = saidIn(judged.value)
  return ok({
    ...said,
    authnInstant: expected.trust.authnInstant === 'trusted' ? said.authnInstant : undefined,
    connectionId: expected.connectionId,
    sessionIndex: undefined,
    signers: keysOf(expected.trust.certificates).map((key) => thumbprint(key.export({ format: 'jwk' }))),
  })
}

function checkForm({ wasEncrypted }: BroughtAssertion, { encryption }: ResolvedIssuer): Checked<undefined> {
  if (wasEncrypted && encryption === 'off') return refuse('saml_encrypted_assertion')
  return !wasEncrypted && encryption === 'required' ? refuse('saml_encryption_required') : ok(undefined)
}

/** One signature, over the whole document. */
function findSigned({ findSigned: find }: ReadMessage, certificates: readonly string[]): Checked<Element> {
  const parts = find(certificates)
  if (!parts.ok) return parts
  const [whole, ...others] = parts.value
  return whole?.of === 'message' && others.length === 0 ? ok(whole.element) : refuse('saml_signature_misplaced')
}

/** From here on a key of the issuer has vouched for every word. */
function judge(element: Element, expected: ExpectedBroughtAssertion): Checked<AssertionFacts> {
  const read = readAssertion(element)
  if (!read.ok) return read
  const named = openName(read.value, expected)
  if (!named.ok) return named
  const rules = rulesOf(expected)
  const judged = checkAssertion(named.value, rules)
  if (!judged.ok) return judged
  return isForOthers(named.value, rules) ? refuse('saml_audience_wrong') : named
}

/** Whoever else it was made for could bring it here. */
const isForOthers = ({ conditions }: AssertionFacts, { audiences }: ExpectedAssertion): boolean =>
  conditions?.audienceRestrictions.flat().some((audience) => !audiences.includes(audience)) ?? true

function openName(facts: AssertionFacts, { trust, opener }: ExpectedBroughtAssertion): Checked<AssertionFacts> {
  if (facts.encryptedId === undefined || facts.nameId !== undefined) return ok(facts)
  const connection = { encryption: trust.encryption, contentEncryption: 'gcm' } as const
  const opened = openNameId(facts.encryptedId, { connection, serviceProvider: opener })
  return opened.ok ? ok({ ...facts, nameId: opened.value, encryptedId: undefined }) : opened
}

/** Nothing need be said of a sign-in: then it is unknown, which proves nothing to policy. RFC 7522 §3 (7) */
const rulesOf = ({ trust, audiences, recipient, now }: ExpectedBroughtAssertion): ExpectedAssertion => ({
  idpEntityId: trust.issuer,
  audiences,
  recipient,
  requestId: undefined,
  needsNameId: trust.mapping.stableId.from === 'protocol',
  needsAuthnStatement: false,
  now,
  skewSeconds: trust.clockSkewSeconds,
})
