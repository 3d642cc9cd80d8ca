/** `node bench/dist/saml-signature.js`: CPU of saying what is signed, by both readers and beside the cryptography that nobody can avoid. */
import { createHash, generateKeyPairSync, verify } from 'node:crypto'
import { aFixtureKey, type FixtureKey } from '@drawbridge/upstream/saml/fixtures/a-certificate'
import { assertionXml, responseXml, signXml } from '@drawbridge/upstream/saml/fixtures/a-saml-response'
import { signatureReaders } from '@drawbridge/upstream/saml/signature-reader'
import { hostileMessages, hostileSizes } from './hostile-messages.js'
import { printTable } from './table.js'

const rounds = 5
const octetsOfHonestMessage = 6500

/** Median of some rounds: CPU of this process in microseconds for one call. */
function microseconds(run: () => void, calls: number): number {
  for (let call = 0; call < calls; call += 1) run()
  const found = Array.from({ length: rounds }, () => {
    const before = process.cpuUsage()
    for (let call = 0; call < calls; call += 1) run()
    const { user, system } = process.cpuUsage(before)
    return (user + system) / calls
  })
  return found.toSorted((a, b) => a - b)[Math.floor(rounds / 2)] ?? 0
}

/** As large as the response that the peers were measured with: a certificate in KeyInfo and values until it is full. */
function honestMessages(key: FixtureKey): Readonly<Record<string, string>> {
  const values = (count: number): string => '<saml:AttributeValue>engineering-team-of-acme</saml:AttributeValue>'.repeat(count)
  const statement = (count: number): string =>
    `<saml:AttributeStatement><saml:Attribute Name="groups">${values(count)}</saml:Attribute></saml:AttributeStatement>`
  const options = { keyInfoCertificate: key.certificate }
  const plain = (count: number): string => responseXml({ assertions: assertionXml({ attributeStatement: statement(count) }) })
  const countFor = (signed: (count: number) => string): number => Math.floor((octetsOfHonestMessage - signed(0).length) / values(1).length)
  const once = (count: number): string => signXml(plain(count), '_assertion1', key, options)
  const count = countFor(once)
  return { 'signed assertion': once(count), 'response and assertion signed': signXml(once(count), '_response1', key, options) }
}

/** Base64, one digest, one RSA verification: below this nobody can go. */
function noWayAround(message: string): number {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const parameter = Buffer.from(message).toString('base64')
  const signed = Buffer.alloc(700)
  const value = Buffer.alloc(256, 1)
  return microseconds(() => {
    createHash('sha256').update(Buffer.from(parameter, 'base64')).digest()
    verify('sha256', signed, publicKey, value)
  }, 500)
}

function measureReader(name: keyof typeof signatureReaders, message: string, certificates: readonly string[], calls: number): number {
  const octets = Buffer.from(message)
  return microseconds(() => {
    const read = signatureReaders[name](octets.toString('utf8'))
    if (!read.ok || !read.value.findSigned(certificates).ok) throw new Error(`${name} refused an honest message`)
  }, calls)
}

/** The slowest of some calls after one to warm up, in milliseconds: with what nobody signed, and refused or not. */
function slowestRefusal(message: string, certificates: readonly string[]): number {
  const times = Array.from({ length: 6 }, () => {
    const before = process.cpuUsage()
    const read = signatureReaders['xml-signature'](message)
    if (read.ok) read.value.findSigned(certificates)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000
  })
  return Math.max(...times.slice(1))
}

const key = aFixtureKey()
const certificates = [key.certificate]
const rows = Object.entries(honestMessages(key)).map(([what, message]) => [
  `${what}, ${message.length} octets`,
  noWayAround(message).toFixed(0),
  measureReader('xml-signature', message, certificates, 500).toFixed(0),
  measureReader('xml-crypto', message, certificates, 40).toFixed(0),
])
printTable('CPU us to say what is signed', ['message', 'base64 + SHA-256 + RSA verify', 'xml-signature', 'xml-crypto'], rows)
const hostile = Object.entries(hostileMessages).map(([what, make]) => [
  what,
  ...hostileSizes.map((size) => slowestRefusal(make(size), certificates).toFixed(1)),
])
printTable('CPU ms for a hostile message, xml-signature', ['message', ...hostileSizes.map((size) => `${size / 1024} KB`)], hostile)
