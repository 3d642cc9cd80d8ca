/**
 * Reads a LogoutRequest or a LogoutResponse into typed facts: every element in its one place, in the order of the schema, and nothing beside.
 *
 * It says what is written, not whether that is acceptable: see `logout-rules`.
 */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { UpstreamErrorReason, UpstreamRefusal } from '../error.js'
import { instantOf, type NameId, readNameId, readStatusCodes, type WrittenInstant } from './assertion-reader.js'
import { attributeOf, childrenNamed, type Element, isNamed, namespaces, textOf } from './element.js'

export const logoutLimits = { sessionIndexes: 64, sessionIndexLength: 1024 } as const

export type LogoutEnvelope = {
  readonly kind: 'request' | 'response'
  readonly id: string
  readonly version: string | undefined
  readonly issueInstant: WrittenInstant
  readonly destination: string | undefined
  readonly issuer: string | undefined
}
export type LogoutRequestFacts = {
  readonly notOnOrAfter: WrittenInstant
  /** `encrypted`: still to be opened. */
  readonly nameId: NameId | { readonly encrypted: Element } | undefined
  readonly sessionIndexes: readonly string[]
}
export type LogoutResponseFacts = { readonly inResponseTo: string | undefined; readonly statusCodes: readonly string[] }

type Read<T> = Result<T, UpstreamRefusal>
const refuse = (reason: UpstreamErrorReason, place: string): Read<never> => err({ reason, detail: { place } })

/** What both have in common. It may be asked of a message that nobody has vouched for: it can then only refuse. */
export function readLogoutEnvelope(root: Element): Read<LogoutEnvelope> {
  const isRequest = isNamed(root, namespaces.protocol, 'LogoutRequest')
  if (!isRequest && !isNamed(root, namespaces.protocol, 'LogoutResponse')) return err({ reason: 'saml_not_a_logout_message' })
  const [issuer, second] = childrenNamed(root, namespaces.assertion, 'Issuer')
  if (second !== undefined) return refuse('saml_shape_invalid', 'Issuer')
  return ok({
    kind: isRequest ? 'request' : 'response',
    id: attributeOf(root, 'ID') ?? '',
    version: attributeOf(root, 'Version'),
    issueInstant: instantOf(root, 'IssueInstant'),
    destination: attributeOf(root, 'Destination'),
    issuer: issuer && textOf(issuer),
  })
}

const prefixes: Readonly<Record<string, string>> = { [namespaces.protocol]: 'samlp', [namespaces.assertion]: 'saml' }
const requestShape = /^saml:Issuer (samlp:Extensions )?(saml:BaseID |saml:NameID |saml:EncryptedID )?(samlp:SessionIndex )*$/
const responseShape = /^saml:Issuer (samlp:Extensions )?samlp:Status $/

const shapeOf = (root: Element): string => root.children.map(({ namespace, name }) => `${prefixes[namespace] ?? '?'}:${name} `).join('')

/** @spec SAML Core §3.7.1 */
export function readLogoutRequest(root: Element): Read<LogoutRequestFacts> {
  if (!requestShape.test(shapeOf(root))) return refuse('saml_shape_invalid', 'LogoutRequest')
  const [encrypted] = childrenNamed(root, namespaces.assertion, 'EncryptedID')
  const nameId = encrypted === undefined ? readNameId(root) : ok({ encrypted })
  if (!nameId.ok) return nameId
  const indexes = childrenNamed(root, namespaces.protocol, 'SessionIndex').map(textOf)
  if (indexes.length > logoutLimits.sessionIndexes) return err({ reason: 'saml_limit_exceeded', detail: { limit: 'sessionIndexes' } })
  const sessionIndexes = indexes.filter((index) => index !== undefined)
  if (
    sessionIndexes.length < indexes.length ||
    sessionIndexes.some((index) => index === '' || index.length > logoutLimits.sessionIndexLength)
  )
    return refuse('saml_shape_invalid', 'SessionIndex')
  return ok({ notOnOrAfter: instantOf(root, 'NotOnOrAfter'), nameId: nameId.value, sessionIndexes })
}

/** @spec SAML Core §3.7.2 */
export function readLogoutResponse(root: Element): Read<LogoutResponseFacts> {
  if (!responseShape.test(shapeOf(root))) return refuse('saml_shape_invalid', 'LogoutResponse')
  return ok({
    inResponseTo: attributeOf(root, 'InResponseTo'),
    statusCodes: readStatusCodes(childrenNamed(root, namespaces.protocol, 'Status')[0]),
  })
}
