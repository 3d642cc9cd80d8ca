/**
 * `node bench/dist/hostile-responses.js`: CPU of judging a response that carries a burden, through the whole chain: base64, UTF-8, limits,
 * reader, rules, eight keys to try. Each burden comes in a message that is right in all else: beside an assertion that the sender's own
 * IdP has signed for her, and under signatures of a stranger's key. Honest messages stand beside them, because none may be refused.
 */
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import type { SamlConnection } from '@drawbridge/upstream/connection-configuration'
import { parseConnection } from '@drawbridge/upstream/connection-configuration'
import { aFixtureKey } from '@drawbridge/upstream/saml/fixtures/a-certificate'
import { assertionXml, encodeMessage, fixtureParties, responseXml, signXml } from '@drawbridge/upstream/saml/fixtures/a-saml-response'
import { type SignatureReaderName, signatureReaderNames } from '@drawbridge/upstream/saml/signature-reader-name'
import { verifySamlResponse } from '@drawbridge/upstream/saml/verify-response'
import { median } from './closed-loop.js'
import { hostileMessages } from './hostile-messages.js'
import { inMilliseconds, printTable } from './table.js'

const kilobyte = 1024
const sizes = [30, 128, 186] as const
/** Of what stands around the burden. */
const frameOctets = 8 * kilobyte
const times = 9

const keys = Array.from({ length: 8 }, () => aFixtureKey())
const stranger = aFixtureKey()
const lastKey = keys[7] as (typeof keys)[number]
const mark = '<placeholder/>'
const extensions = `<samlp:Extensions>${mark}</samlp:Extensions>`

const ownSigned = signXml(responseXml({ extensions }), '_assertion1', lastKey)
const strangeSigned = signXml(signXml(responseXml({ extensions }), '_assertion1', stranger), '_response1', stranger)
const shapes: Readonly<Record<string, (burden: string) => string>> = {
  'beside a signed assertion': (burden) => ownSigned.replace(mark, () => burden),
  'under a stranger\u2019s signatures': (burden) => strangeSigned.replace(mark, () => burden),
}

/** Each value with a type and its namespaces, as Okta and AD FS write it. */
const typed = 'xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string"'
function honest(groups: readonly string[], attributes: string): string {
  const values = groups.map((group) => `<saml:AttributeValue${attributes}>${group}</saml:AttributeValue>`).join('')
  const statement = `<saml:AttributeStatement><saml:Attribute Name="groups">${values}</saml:Attribute></saml:AttributeStatement>`
  return signXml(responseXml({ assertions: assertionXml({ attributeStatement: statement }) }), '_assertion1', lastKey)
}
const named = (count: number, name: (index: number) => string): readonly string[] =>
  Array.from({ length: count }, (_, index) => name(index))
const honestMessages: Readonly<Record<string, string>> = {
  '150 groups by object id': honest(
    named(150, (index) => `9f3a0c1e-5b7d-4c2f-8a6e-${String(index).padStart(12, '0')}`),
    '',
  ),
  '1000 groups by name': honest(
    named(1000, (index) => `engineering-team-${index}`),
    '',
  ),
  '500 typed groups by name': honest(
    named(500, (index) => `engineering-team-${index}`),
    ` ${typed}`,
  ),
}

function connectionWith(signatureReader: SignatureReaderName): SamlConnection {
  const certificates = keys.map(({ certificate }) => certificate)
  const { idpEntityId, spEntityId } = fixtureParties
  const parsed = parseConnection('saml', { idpEntityId, spEntityId, ssoUrl: 'https://idp.acme.example/sso', certificates, signatureReader })
  if (!parsed.ok || parsed.value.kind !== 'saml') throw new Error('the bench\u2019s own connection is refused')
  return parsed.value
}

type Judged = { readonly milliseconds: number; readonly outcome: string }

/** The median of some judgements after one to warm up. */
function judge(message: string, connection: SamlConnection): Judged {
  const parameter = encodeMessage(message)
  const { acsUrl, requestId: expectedRequestId, now } = fixtureParties
  const expected = { connectionId: 'c' as ConnectionId, connection, acsUrl, expectedRequestId, now }
  let outcome = ''
  const took = Array.from({ length: times }, () => {
    const before = process.cpuUsage()
    const verified = verifySamlResponse(parameter, expected)
    const { user, system } = process.cpuUsage(before)
    outcome = verified.ok ? 'read' : verified.error.reason
    return (user + system) / 1000
  })
  return { milliseconds: median(took.slice(1)), outcome }
}

for (const reader of signatureReaderNames) {
  const connection = connectionWith(reader)
  const rows = Object.entries(shapes).flatMap(([shape, wrap]) =>
    Object.entries(hostileMessages).map(([burden, make]) => {
      const judged = sizes.map((size) => judge(wrap(make(size * kilobyte - frameOctets)), connection))
      return { name: `${burden}, ${shape}`, judged, worst: Math.max(...judged.map(({ milliseconds }) => milliseconds)) }
    }),
  )
  const slowest = rows.toSorted((one, other) => other.worst - one.worst).slice(0, 8)
  const show = ({ milliseconds, outcome }: Judged): string => `${inMilliseconds(milliseconds)} ${outcome.replace('saml_', '')}`
  printTable(
    `${reader}: CPU ms for a response with a burden, the slowest 8 of ${rows.length} kinds`,
    ['burden', ...sizes.map((size) => `${size} KB`)],
    slowest.map(({ name, judged }) => [name, ...judged.map(show)]),
  )
  printTable(
    `${reader}: CPU ms for an honest message`,
    ['message', 'octets', 'ms'],
    Object.entries(honestMessages).map(([name, message]) => [name, String(message.length), show(judge(message, connection))]),
  )
}
