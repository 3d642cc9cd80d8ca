/**
 * Reads the certificate of a client as a proxy wrote it into a header: the proxy has verified it, here is read whom it was given to.
 *
 * OpenSSL must take it for a certificate, and its names are then read from the same octets by `der`, because the text that OpenSSL makes of names
 * says the same for different ones.
 */
import { X509Certificate } from 'node:crypto'
import { type Instant, instant } from '@drawbridge/core/instant'
import { type ClientCertificate, canonicalAddress } from '@drawbridge/core/oauth/client-certificate'
import type { DistinguishedName, NameAttribute } from '@drawbridge/core/oauth/distinguished-name'
import { type DerValue, derTags, insideOf, readDerValue, readObjectIdentifier } from './der.js'

/** Characters of the header. A certificate with an RSA key of 4096 bits has some 2,500 octets, and a third more in base64. */
export const certificateHeaderLength = 12_000

/** Undefined: it is no certificate, or more than one. */
export function readClientCertificate(header: string): ClientCertificate | undefined {
  if (header.length > certificateHeaderLength) return undefined
  const octets = octetsOf(header)
  if (octets === undefined) return undefined
  try {
    return readCertificate(new X509Certificate(octets), octets)
  } catch {
    return undefined
  }
}

/** RFC 9440 §2.1: a byte sequence of structured fields. */
const byteSequence = /^:([A-Za-z0-9+/]+={0,2}):$/
const [begin, end] = ['-----BEGIN CERTIFICATE-----', '-----END CERTIFICATE-----']

function octetsOf(header: string): Buffer | undefined {
  const text = header.startsWith(':') ? byteSequence.exec(header)?.[1] : insideOfPem(decoded(header).trim())
  if (text === undefined) return undefined
  const octets = Buffer.from(text, 'base64')
  return octets.toString('base64') === text ? octets : undefined
}

/** One in PEM, whose line ends proxies write as `%0A`, as tabs or as spaces. What else stands there is no base64. */
const insideOfPem = (pem: string): string | undefined =>
  pem.startsWith(begin) && pem.endsWith(end) ? pem.slice(begin.length, -end.length).replaceAll(/\s/g, '') : undefined

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}

/** @spec RFC 5280 §4.1 */
function readCertificate({ validFrom, validTo }: X509Certificate, octets: Buffer): ClientCertificate | undefined {
  const signed = insideOf(readDerValue(octets, derTags.sequence), derTags.sequence)[0]
  const members = insideOf(signed, derTags.sequence)
  const version = 0xa0
  // serialNumber, signature, issuer, validity, subject, …
  const subject = members[members[0]?.tag === version ? 5 : 4]
  const [from, until] = [timeOf(validFrom), timeOf(validTo)]
  const names = alternativeNames(members)
  if (from === undefined || until === undefined) return undefined
  return { subject: readName(subject), names, validFrom: from, validUntil: until }
}

function timeOf(text: string): Instant | undefined {
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : instant(at)
}

const readName = (name: DerValue | undefined): DistinguishedName =>
  insideOf(name, derTags.sequence).map((level) => insideOf(level, derTags.set).map(readAttribute))

function readAttribute(attribute: DerValue): NameAttribute {
  const [type, value, ...more] = insideOf(attribute, derTags.sequence)
  if (type === undefined || value === undefined || more.length > 0) throw new RangeError('no attribute')
  const text = textOf(value)
  return { type: readObjectIdentifier(type), ...(text === undefined ? {} : { text }), der: value.whole.toString('hex') }
}

/** Of the kinds of string that are text in one way alone. */
function textOf({ tag, content }: DerValue): string | undefined {
  if (tag === derTags.utf8String) return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content)
  return tag === derTags.printableString || tag === derTags.ia5String ? asciiOf(content) : undefined
}

function asciiOf(content: Buffer): string {
  if (content.some((octet) => octet > 0x7f)) throw new RangeError('not ASCII')
  return content.toString('latin1')
}

const subjectAlternativeName = '2.5.29.17'

/** @spec RFC 5280 §4.2 no extension twice, §4.2.1.6 */
function alternativeNames(members: readonly DerValue[]): ClientCertificate['names'] {
  const extensions = members.filter(({ tag }) => tag === 0xa3).flatMap((value) => insideOf(insideOf(value, 0xa3)[0], derTags.sequence))
  const found = extensions
    .map((extension) => insideOf(extension, derTags.sequence))
    .filter(([id]) => id !== undefined && readObjectIdentifier(id) === subjectAlternativeName)
  if (found.length > 1) throw new RangeError('an extension twice')
  const value = found[0]?.at(-1)
  const general = value === undefined ? [] : insideOf(readDerValue(octetString(value), derTags.sequence), derTags.sequence)
  const ofTag = (tag: number) => general.filter((name) => name.tag === tag).map(({ content }) => content)
  return {
    san_email: ofTag(0x81).map(asciiOf),
    san_dns: ofTag(0x82).map(asciiOf),
    san_uri: ofTag(0x86).map(asciiOf),
    san_ip: ofTag(0x87).map(addressOf),
  }
}

function octetString({ tag, content }: DerValue): Buffer {
  if (tag !== derTags.octetString) throw new RangeError('no octets')
  return content
}

function addressOf(octets: Buffer): string {
  const isIpv4 = octets.length === 4
  const address = isIpv4 ? [...octets].join('.') : canonicalAddress(octets.toString('hex').match(/.{4}/g)?.join(':') ?? '')
  if (address === undefined || (!isIpv4 && octets.length !== 16)) throw new RangeError('no address')
  return address
}
