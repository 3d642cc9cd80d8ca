/**
 * Whom a signal names, in the words of whoever sends it. It is parsed here and believed nowhere: a signature comes first, and only people of
 * the connection that it came in by can be meant.
 *
 * @spec RFC 9493 §3.2 formats
 */
import { type EmailAddress, isPlainAddress, parseEmailAddress } from '../identity/email-address.js'
import { isKeepable } from '../keepable-text.js'

export type SubjectIdentifier =
  | { readonly format: 'iss_sub'; readonly issuer: string; readonly sub: string }
  | { readonly format: 'opaque'; readonly id: string }
  | { readonly format: 'email'; readonly address: EmailAddress }

export const subjectIdentifierLimits = { textLength: 1024, aliases: 20 } as const

/** `undefined`: it has none of the formats by which we know people, or lacks what its format needs. What else stands in it is not read. */
export function parseSubjectIdentifier(value: unknown): SubjectIdentifier | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const given = value as Readonly<Record<string, unknown>>
  const text = (name: string): string | undefined => {
    const member = Object.hasOwn(given, name) ? given[name] : undefined
    const isUsable =
      typeof member === 'string' && member !== '' && member.length <= subjectIdentifierLimits.textLength && isKeepable(member)
    return isUsable ? member : undefined
  }
  switch (text('format')) {
    case 'iss_sub':
      return toIssSub(text('iss'), text('sub'))
    case 'opaque':
      return toOpaque(text('id'))
    case 'email':
      return toEmail(text('email'))
    default:
      return undefined
  }
}

const toIssSub = (issuer: string | undefined, sub: string | undefined): SubjectIdentifier | undefined =>
  issuer === undefined || sub === undefined ? undefined : { format: 'iss_sub', issuer, sub }

const toOpaque = (id: string | undefined): SubjectIdentifier | undefined => (id === undefined ? undefined : { format: 'opaque', id })

function toEmail(text: string | undefined): SubjectIdentifier | undefined {
  const address = text !== undefined && isPlainAddress(text) ? parseEmailAddress(text) : undefined
  return address === undefined ? undefined : { format: 'email', address }
}

/** By which people are known best. */
const bestFirst: readonly SubjectIdentifier['format'][] = ['iss_sub', 'opaque', 'email']

/**
 * Of several names of one person the one by which we know people best. Two of that kind are nobody: which of them is hers at this connection, or whether they are
 * one person's, is not for us to guess.
 *
 * @spec RFC 9493 §3.2.8
 */
function parseAliases(identifiers: unknown): SubjectIdentifier | undefined {
  if (!Array.isArray(identifiers) || identifiers.length > subjectIdentifierLimits.aliases) return undefined
  const names = identifiers.map(parseSubjectIdentifier).filter((name) => name !== undefined)
  const [best, another] = bestFirst.map((format) => names.filter((name) => name.format === format)).find(({ length }) => length > 0) ?? []
  return another === undefined ? best : undefined
}

/** One name, or several of the same person. */
function parsePerson(value: unknown): SubjectIdentifier | undefined {
  const { format, identifiers } = (value ?? {}) as Readonly<Record<string, unknown>>
  return format === 'aliases' ? parseAliases(identifiers) : parseSubjectIdentifier(value)
}

/**
 * The person in the subject of a security event: the subject itself, or the `user` of a complex one. What else a complex subject names, a
 * session, a device, a tenant, would only narrow it to a part of her: all of hers is taken, which is more than was asked and misses nothing.
 *
 * @spec SSF 1.0 §3.2 complex subjects
 */
export function parseSignalSubject(value: unknown): SubjectIdentifier | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const { format, user } = value as Readonly<Record<string, unknown>>
  const isComplex = format === 'complex' || (format === undefined && user !== undefined)
  return parsePerson(isComplex ? user : value)
}

/** What an alarm calls somebody who could not be found. */
export function describeSubject(subject: SubjectIdentifier | undefined): string {
  if (subject === undefined) return 'no person'
  if (subject.format === 'email') return subject.address.key
  return subject.format === 'opaque' ? subject.id : `${subject.issuer} ${subject.sub}`
}
