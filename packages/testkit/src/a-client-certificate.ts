/** Certificates of clients, written in DER by hand: what a certificate authority would not sign can be written too. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

export const der = (tag: number, ...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts)
  const octets = body.length.toString(16).replace(/^(.(?:..)*)$/, '0$1')
  const length =
    body.length < 128 ? Buffer.of(body.length) : Buffer.concat([Buffer.of(0x80 + octets.length / 2), Buffer.from(octets, 'hex')])
  return Buffer.concat([Buffer.of(tag), length, body])
}
export const sequence = (...parts: readonly Buffer[]): Buffer => der(0x30, ...parts)

export function oid(dotted: string): Buffer {
  const [root = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const arcs = [root * 40 + second, ...rest].map((arc) => {
    const octets = [arc & 0x7f]
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) octets.unshift((left & 0x7f) | 0x80)
    return Buffer.from(octets)
  })
  return der(0x06, ...arcs)
}

export const stringTags = { utf8: 0x0c, printable: 0x13, teletex: 0x14, ia5: 0x16, bmp: 0x1e } as const
export const attribute = (type: string, value: string | Buffer, tag: number = stringTags.utf8): Buffer =>
  sequence(oid(type), der(tag, Buffer.from(value)))
/** Levels of one attribute each, the most general first. */
export const nameOf = (...attributes: readonly Buffer[]): Buffer => sequence(...attributes.map((each) => der(0x31, each)))
export const common = (value: string): Buffer => attribute('2.5.4.3', value)
export const organization = (value: string): Buffer => attribute('2.5.4.10', value)

const alternativeTags = { email: 0x81, dns: 0x82, uri: 0x86, ip: 0x87 } as const
export const alternative = (kind: keyof typeof alternativeTags, value: string | Buffer): Buffer =>
  der(alternativeTags[kind], Buffer.from(value))
export const subjectAlternativeNames = (...names: readonly Buffer[]): Buffer => extension('2.5.29.17', sequence(...names))
export const extension = (id: string, value: Buffer): Buffer => sequence(oid(id), der(0x04, value))

export type CertificateParts = {
  readonly subject?: Buffer
  readonly extensions?: readonly Buffer[]
  readonly from?: Date
  readonly until?: Date
}
export type AClientCertificate = { readonly octets: Buffer; readonly privateKey: KeyObject }

const dayMs = 86_400_000
const time = (date: Date): Buffer => der(0x18, Buffer.from(`${date.toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}Z`))
const algorithm = sequence(oid('1.2.840.10045.4.3.2'))

/** Signed by itself: whom the proxy believes is the proxy's affair. */
export function aClientCertificate(parts: CertificateParts = {}): AClientCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const subject = parts.subject ?? nameOf(organization('Initech'), common('reports'))
  const { extensions = [], from = new Date(Date.now() - dayMs), until = new Date(Date.now() + dayMs) } = parts
  const toBeSigned = sequence(
    der(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, Buffer.of(1)),
    algorithm,
    subject,
    sequence(time(from), time(until)),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    ...(extensions.length === 0 ? [] : [der(0xa3, sequence(...extensions))]),
  )
  const signature = der(0x03, Buffer.of(0), sign('sha256', toBeSigned, privateKey))
  return { octets: sequence(toBeSigned, algorithm, signature), privateKey }
}

/** As RFC 9440 writes it into a header. */
export const asByteSequence = (octets: Buffer): string => `:${octets.toString('base64')}:`
export const asPem = (octets: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${octets.toString('base64').replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`
