/** A client that proves itself by a certificate (`tls_client_auth`): by which name in it the client is known, and whether a certificate is the client's. */
import type { Instant } from '../instant.js'
import { type DistinguishedName, isSameName, parseDistinguishedName } from './distinguished-name.js'

/** Where in a certificate the name stands. @spec RFC 8705 §2.1.2 */
export const certificateNameKinds = ['subject_dn', 'san_dns', 'san_uri', 'san_ip', 'san_email'] as const
export type CertificateNameKind = (typeof certificateNameKinds)[number]

/** The one name that a client's certificate must hold, as it is compared. */
export type CertificateName = { readonly kind: CertificateNameKind; readonly value: string }

/** What a certificate says of whom it was given to. */
export type ClientCertificate = {
  readonly subject: DistinguishedName
  /** Of the subject's alternative names; addresses as `canonicalAddress` writes them. */
  readonly names: Readonly<Record<Exclude<CertificateNameKind, 'subject_dn'>, readonly string[]>>
  readonly validFrom: Instant
  readonly validUntil: Instant
}

const nameLength = 1024
const dnsName = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/
const ipv4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/
const uri = /^[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+$/
const email = /^[\x21-\x3f\x41-\x7e]+@[A-Za-z0-9.-]+$/

/** IPv4 in dotted decimals, IPv6 as RFC 5952 writes it; undefined if it is neither. */
export function canonicalAddress(text: string): string | undefined {
  if (ipv4.test(text)) return text
  if (!/^[0-9a-fA-F:.]{2,45}$/.test(text) || !URL.canParse(`http://[${text}]/`)) return undefined
  return new URL(`http://[${text}]/`).hostname.slice(1, -1)
}

/**
 * A name as a client registers it, in the form in which it is compared; undefined if it is none. A wildcard is no name of anybody.
 *
 * @spec RFC 8705 §2.1.2
 */
export function parseCertificateName(kind: CertificateNameKind, text: string): CertificateName | undefined {
  if (text.length > nameLength) return undefined
  const value = valueOf(kind, text)
  return value === undefined ? undefined : { kind, value }
}

function valueOf(kind: CertificateNameKind, text: string): string | undefined {
  switch (kind) {
    case 'subject_dn':
      return parseDistinguishedName(text) ? text : undefined
    case 'san_dns':
      return dnsName.test(text.toLowerCase()) ? text.toLowerCase() : undefined
    case 'san_uri':
      return uri.test(text) ? text : undefined
    case 'san_ip':
      return canonicalAddress(text)
    case 'san_email':
      return email.test(text) ? text : undefined
  }
}

/** Whatever the store holds; what cannot be read is nobody's name. */
export function certificateNameFromJson(json: unknown): CertificateName | undefined {
  if (typeof json !== 'object' || json === null || !('kind' in json) || !('value' in json)) return undefined
  const kind = certificateNameKinds.find((known) => known === json.kind)
  return kind !== undefined && typeof json.value === 'string' ? parseCertificateName(kind, json.value) : undefined
}

/** Members of the client's metadata, by the kind of name that each says. */
export const certificateNameMembers: readonly (readonly [CertificateNameKind, `tls_client_auth_${CertificateNameKind}`])[] =
  certificateNameKinds.map((kind) => [kind, `tls_client_auth_${kind}`] as const)

/**
 * The one name that metadata say; `none` if they say none, `malformed` if they say several or one that is no name.
 *
 * @spec RFC 8705 §2.1.2 exactly one
 */
export function certificateNameOf(metadata: Readonly<Record<string, unknown>>): CertificateName | 'none' | 'malformed' {
  const said = certificateNameMembers.filter(([, member]) => metadata[member] !== undefined)
  const [kind, member] = said[0] ?? []
  if (kind === undefined || member === undefined) return 'none'
  const text = metadata[member]
  return (said.length === 1 && typeof text === 'string' ? parseCertificateName(kind, text) : undefined) ?? 'malformed'
}

/** Whether the certificate holds the name. One of several alternative names is enough. DNS names are compared without case, all others exactly. */
export function holdsName({ subject, names }: ClientCertificate, { kind, value }: CertificateName): boolean {
  if (kind !== 'subject_dn') return names[kind].some((name) => (kind === 'san_dns' ? name.toLowerCase() : name) === value)
  const registered = parseDistinguishedName(value)
  return registered !== undefined && isSameName(registered, subject)
}

/** The last moment counts. @spec RFC 5280 §4.1.2.5 */
export const isInForce = ({ validFrom, validUntil }: ClientCertificate, now: Instant): boolean => validFrom <= now && now <= validUntil
