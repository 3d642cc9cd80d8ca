/**
 * Reads signed octets into typed facts: matched by (namespace, local name), every element in its one allowed place.
 *
 * It says what is written, not whether that is acceptable: see `profile-rules`. What is missing is `undefined`.
 */
import type { IdpSession } from '@drawbridge/core/identity/normalized-identity'
import type { Instant } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { UpstreamErrorReason, UpstreamRefusal } from '../error.js'
import { parseDateTime } from './date-time.js'
import { attributeOf, childrenNamed, type Element, isNamed, namespaces, textOf } from './element.js'

/** `undefined`: not written. `'invalid'`: written, but no instant. The rules refuse the two for different reasons. */
export type WrittenInstant = Instant | 'invalid' | undefined

export type NameId = NonNullable<IdpSession['nameId']>

export type ResponseFacts = {
  readonly id: string
  readonly version: string | undefined
  readonly issueInstant: WrittenInstant
  readonly destination: string | undefined
  readonly inResponseTo: string | undefined
  readonly issuer: string | undefined
  /** Top-level status code and the one inside it. */
  readonly statusCodes: readonly string[]
}

export type ConfirmationFacts = {
  readonly method: string | undefined
  readonly recipient: string | undefined
  readonly notBefore: WrittenInstant
  readonly notOnOrAfter: WrittenInstant
  readonly inResponseTo: string | undefined
  readonly hasData: boolean
}

export type AssertionFacts = {
  readonly id: string
  readonly version: string | undefined
  readonly issueInstant: WrittenInstant
  readonly issuer: string | undefined
  readonly hasSubject: boolean
  /** In the place of the NameID, or wrongly beside it. */
  readonly encryptedId: Element | undefined
  readonly nameId: NameId | undefined
  readonly confirmations: readonly ConfirmationFacts[]
  readonly conditions:
    | {
        readonly notBefore: WrittenInstant
        readonly notOnOrAfter: WrittenInstant
        readonly audienceRestrictions: readonly (readonly string[])[]
        readonly unknown: boolean
      }
    | undefined
  readonly authnStatements: readonly {
    readonly authnInstant: WrittenInstant
    readonly sessionIndex: string | undefined
    readonly sessionNotOnOrAfter: WrittenInstant
    readonly classRef: string | undefined
  }[]
  readonly attributes: ReadonlyMap<string, readonly string[]>
}

type Read<T> = Result<T, UpstreamRefusal>
const refuse = (reason: UpstreamErrorReason, place: string): Result<never, UpstreamRefusal> => err({ reason, detail: { place } })

/** @spec SAML Core §3.2.2 */
export function readResponse(root: Element): Read<ResponseFacts> {
  if (!isNamed(root, namespaces.protocol, 'Response')) return refuse('saml_not_a_response', 'root')
  const issuer = atMostOne(root, namespaces.assertion, 'Issuer')
  const status = atMostOne(root, namespaces.protocol, 'Status')
  if (!issuer.ok) return issuer
  if (!status.ok) return status
  return ok({
    id: attributeOf(root, 'ID') ?? '',
    version: attributeOf(root, 'Version'),
    issueInstant: instantOf(root, 'IssueInstant'),
    destination: attributeOf(root, 'Destination'),
    inResponseTo: attributeOf(root, 'InResponseTo'),
    issuer: issuer.value && textOf(issuer.value),
    statusCodes: readStatusCodes(status.value),
  })
}

/** The top-level code and the one inside it. */
export function readStatusCodes(status: Element | undefined): readonly string[] {
  const code = status && childrenNamed(status, namespaces.protocol, 'StatusCode')[0]
  const inner = code && childrenNamed(code, namespaces.protocol, 'StatusCode')[0]
  return [code, inner].map((each) => each && attributeOf(each, 'Value')).filter((value) => value !== undefined)
}

/** @spec SAML Core §2.3.3 */
export function readAssertion(assertion: Element): Read<AssertionFacts> {
  const issuer = atMostOne(assertion, namespaces.assertion, 'Issuer')
  const subject = atMostOne(assertion, namespaces.assertion, 'Subject')
  const conditions = atMostOne(assertion, namespaces.assertion, 'Conditions')
  if (!issuer.ok) return issuer
  if (!subject.ok) return subject
  if (!conditions.ok) return conditions
  const nameId = subject.value === undefined ? ok(undefined) : readNameId(subject.value)
  const encryptedId = subject.value === undefined ? ok(undefined) : atMostOne(subject.value, namespaces.assertion, 'EncryptedID')
  const confirmations = subject.value === undefined ? ok([]) : readConfirmations(subject.value)
  const statements = readAuthnStatements(assertion)
  const attributes = readAttributes(assertion)
  if (!nameId.ok) return nameId
  if (!encryptedId.ok) return encryptedId
  if (!confirmations.ok) return confirmations
  if (!statements.ok) return statements
  if (!attributes.ok) return attributes
  return ok({
    id: attributeOf(assertion, 'ID') ?? '',
    version: attributeOf(assertion, 'Version'),
    issueInstant: instantOf(assertion, 'IssueInstant'),
    issuer: issuer.value && textOf(issuer.value),
    hasSubject: subject.value !== undefined,
    encryptedId: encryptedId.value,
    nameId: nameId.value,
    confirmations: confirmations.value,
    conditions: conditions.value && readConditions(conditions.value),
    authnStatements: statements.value,
    attributes: attributes.value,
  })
}

/** The NameID directly in an element: a subject, or a LogoutRequest. */
export function readNameId(parent: Element): Read<NameId | undefined> {
  const nameId = atMostOne(parent, namespaces.assertion, 'NameID')
  return nameId.ok && nameId.value !== undefined ? nameIdOf(nameId.value) : (nameId as Read<undefined>)
}

export function nameIdOf(element: Element): Read<NameId> {
  const value = textOf(element)
  if (value === undefined) return refuse('saml_shape_invalid', 'NameID')
  return ok({
    value,
    format: attributeOf(element, 'Format'),
    nameQualifier: attributeOf(element, 'NameQualifier'),
    spNameQualifier: attributeOf(element, 'SPNameQualifier'),
  })
}

function readConfirmations(subject: Element): Read<readonly ConfirmationFacts[]> {
  const read: ConfirmationFacts[] = []
  for (const confirmation of childrenNamed(subject, namespaces.assertion, 'SubjectConfirmation')) {
    const found = atMostOne(confirmation, namespaces.assertion, 'SubjectConfirmationData')
    if (!found.ok) return found
    const data = found.value
    read.push({
      method: attributeOf(confirmation, 'Method'),
      recipient: data && attributeOf(data, 'Recipient'),
      notBefore: data && instantOf(data, 'NotBefore'),
      notOnOrAfter: data && instantOf(data, 'NotOnOrAfter'),
      inResponseTo: data && attributeOf(data, 'InResponseTo'),
      hasData: data !== undefined,
    })
  }
  return ok(read)
}

/** `ProxyRestriction` limits only those who issue assertions of their own from this one, and OneTimeUse we do always. */
const knownConditions: readonly string[] = ['AudienceRestriction', 'OneTimeUse', 'ProxyRestriction']

function readConditions(conditions: Element): NonNullable<AssertionFacts['conditions']> {
  const isKnown = (child: Element): boolean => child.namespace === namespaces.assertion && knownConditions.includes(child.name)
  const audiencesOf = (restriction: Element): string[] =>
    childrenNamed(restriction, namespaces.assertion, 'Audience').flatMap((audience) => textOf(audience) ?? [])
  return {
    notBefore: instantOf(conditions, 'NotBefore'),
    notOnOrAfter: instantOf(conditions, 'NotOnOrAfter'),
    audienceRestrictions: childrenNamed(conditions, namespaces.assertion, 'AudienceRestriction').map(audiencesOf),
    unknown: !conditions.children.every(isKnown),
  }
}

function readAuthnStatements(assertion: Element): Read<AssertionFacts['authnStatements']> {
  const read: AssertionFacts['authnStatements'][number][] = []
  for (const statement of childrenNamed(assertion, namespaces.assertion, 'AuthnStatement')) {
    const context = atMostOne(statement, namespaces.assertion, 'AuthnContext')
    if (!context.ok) return context
    const classRef = context.value === undefined ? ok(undefined) : atMostOne(context.value, namespaces.assertion, 'AuthnContextClassRef')
    if (!classRef.ok) return classRef
    read.push({
      authnInstant: instantOf(statement, 'AuthnInstant'),
      sessionIndex: attributeOf(statement, 'SessionIndex'),
      sessionNotOnOrAfter: instantOf(statement, 'SessionNotOnOrAfter'),
      classRef: classRef.value && textOf(classRef.value),
    })
  }
  return ok(read)
}

/**
 * All attributes by `Name` alone (formats differ between IdPs). The same name repeated is merged, values are trimmed, an attribute
 * without values and an empty value stay visible as empty: nothing is silently dropped.
 */
function readAttributes(assertion: Element): Read<ReadonlyMap<string, readonly string[]>> {
  const read = new Map<string, string[]>()
  for (const statement of childrenNamed(assertion, namespaces.assertion, 'AttributeStatement')) {
    if (childrenNamed(statement, namespaces.assertion, 'EncryptedAttribute').length > 0)
      return refuse('saml_encrypted_assertion', 'EncryptedAttribute')
    for (const attribute of childrenNamed(statement, namespaces.assertion, 'Attribute')) {
      const name = attributeOf(attribute, 'Name')?.trim()
      if (name === undefined || name === '') return refuse('saml_shape_invalid', 'Attribute/@Name')
      const values = read.get(name) ?? []
      for (const value of childrenNamed(attribute, namespaces.assertion, 'AttributeValue')) {
        const text = valueOf(value)
        if (text === undefined) return refuse('saml_shape_invalid', 'AttributeValue')
        if (text !== null) values.push(text)
      }
      read.set(name, values)
    }
  }
  return ok(read)
}

/** `null`: xsi:nil. A lone NameID inside (eduPersonTargetedID) counts as its text; any other structure is refused, not guessed at. */
function valueOf(value: Element): string | null | undefined {
  const nil = value.attributes.find((attribute) => attribute.namespace === namespaces.schemaInstance && attribute.name === 'nil')?.value
  if (nil === 'true' || nil === '1') return null
  const [only, ...others] = value.children
  if (only === undefined) return textOf(value)
  return others.length === 0 && isNamed(only, namespaces.assertion, 'NameID') && value.text.trim() === '' ? textOf(only) : undefined
}

function atMostOne(element: Element, namespace: string, name: string): Read<Element | undefined> {
  const found = childrenNamed(element, namespace, name)
  return found.length > 1 ? refuse('saml_shape_invalid', name) : ok(found[0])
}

export function instantOf(element: Element, name: string): WrittenInstant {
  const written = attributeOf(element, name)
  return written === undefined ? undefined : (parseDateTime(written) ?? 'invalid')
}
