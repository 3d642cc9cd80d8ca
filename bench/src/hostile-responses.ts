/**
 * `node bench/dist/hostile-responses.js [reader]`: CPU of judging a response that carries a burden, through the whole chain: base64, UTF-8,
 * limits, reader, rules, eight keys to try. Each burden is as large as the limits of the reader let it be, in every place where a message may
 * carry it, and in a message that is right in all else. Honest messages stand beside them, because none may be refused.
 */
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import type { SamlConnection } from '@drawbridge/upstream/connection-configuration'
import { parseConnection } from '@drawbridge/upstream/connection-configuration'
import { encodeMessage, fixtureParties } from '@drawbridge/upstream/saml/fixtures/a-saml-response'
import { libraryLimits, messageLimits, metadataLimits, prescan } from '@drawbridge/upstream/saml/prescan'
import { type SignatureReaderName, signatureReaderNames } from '@drawbridge/upstream/saml/signature-reader-name'
import { verifySamlResponse } from '@drawbridge/upstream/saml/verify-response'
import { median } from './closed-loop.js'
import { honestMessages } from './honest-messages.js'
import { hostileMessages } from './hostile-messages.js'
import { type HostileShape, hostileShapes, idpKeys, serviceProvider, timesInShape } from './hostile-shapes.js'
import { inMilliseconds, printTable } from './table.js'

const times = 9
const steps = 12
/** What stands around a burden, at most. */
const frame = { octets: 8 * 1024, depth: 4, elements: 70, attributes: 80, namespaceDeclarations: 24 }
const shown = 8

function connectionWith(signatureReader: SignatureReaderName): SamlConnection {
  const certificates = idpKeys.map(({ certificate }) => certificate)
  const { idpEntityId, spEntityId } = fixtureParties
  const configured = { idpEntityId, spEntityId, certificates, signatureReader, encryption: 'accepted' }
  const parsed = parseConnection('saml', { ...configured, ssoUrl: 'https://idp.acme.example/sso' })
  if (!parsed.ok || parsed.value.kind !== 'saml') throw new Error('the bench’s own connection is refused')
  return parsed.value
}

/** The largest that the reader’s limits let through, by halving. */
function largest(make: (size: number) => string, reader: SignatureReaderName, share: number): string {
  const limits = reader === 'xml-crypto' ? libraryLimits : messageLimits
  const left = Object.entries(frame).map(([name, taken]) => [name, limits[name as keyof typeof frame] - taken] as const)
  const inside = { ...limits, ...Object.fromEntries(left), octets: Math.floor((limits.octets - frame.octets) / share) }
  const refusesForSize = (text: string): boolean => {
    const scanned = prescan(text, inside)
    return !scanned.ok && ['saml_message_too_large', 'saml_limit_exceeded'].includes(scanned.error.reason)
  }
  let [fits, exceeds] = [0, limits.octets + 1]
  for (let step = 0; step < steps; step += 1) {
    const size = Math.floor((fits + exceeds) / 2)
    if (refusesForSize(make(size))) exceeds = size
    else fits = size
  }
  return make(fits)
}

type Judged = { readonly octets: number; readonly least: number; readonly milliseconds: number; readonly outcome: string }

/** The median of some judgements after one to warm up. */
function judge(message: string, connection: SamlConnection): Judged {
  const parameter = encodeMessage(message)
  const { acsUrl, requestId: expectedRequestId, now } = fixtureParties
  const expected = { connectionId: 'c' as ConnectionId, connection, acsUrl, expectedRequestId, now, serviceProvider }
  let outcome = ''
  const took = Array.from({ length: times }, () => {
    const before = process.cpuUsage()
    const verified = verifySamlResponse(parameter, expected)
    const { user, system } = process.cpuUsage(before)
    outcome = verified.ok ? 'read' : verified.error.reason.replace('saml_', '')
    return (user + system) / 1000
  })
  return { octets: message.length, least: Math.min(...took), milliseconds: median(took.slice(1)), outcome }
}

/** Undefined: what no parser reads nobody can sign. */
function tryIn(shape: string, burden: string, connection: SamlConnection): Judged | undefined {
  const { wrap, isSigned } = hostileShapes[shape] as HostileShape
  return isSigned && !prescan(burden, metadataLimits).ok ? undefined : judge(wrap(burden), connection)
}

const head = ['message', 'octets', 'least CPU ms', 'median', 'outcome'] as const
const row = (name: string, { octets, least, milliseconds, outcome }: Judged) => [
  ...[name, String(octets), inMilliseconds(least), inMilliseconds(milliseconds), outcome],
]

for (const reader of signatureReaderNames.filter((name) => process.argv[2] === undefined || name === process.argv[2])) {
  const connection = connectionWith(reader)
  const rows = Object.keys(hostileShapes).flatMap((shape) =>
    Object.entries(hostileMessages).flatMap(([burden, make]) => {
      const judged = tryIn(shape, largest(make, reader, timesInShape(shape)), connection)
      return judged === undefined ? [] : [{ name: `${burden}, ${shape}`, judged }]
    }),
  )
  const slowest = rows.toSorted((one, other) => other.judged.milliseconds - one.judged.milliseconds).slice(0, shown)
  printTable(
    `${reader}: a response with a burden, the slowest ${shown} of ${rows.length} kinds`,
    head,
    slowest.map(({ name, judged }) => row(name, judged)),
  )
  printTable(
    `${reader}: an honest message`,
    head,
    honestMessages.map(({ name, message }) => row(name, judge(message, connection))),
  )
}
