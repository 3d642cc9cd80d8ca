/**
 * Valid responses of every vendor, changed: never an exception, never another identity than one that the key signed. The same seed makes the
 * same messages. A longer run: DRAWBRIDGE_FUZZ_RUNS=200000 DRAWBRIDGE_FUZZ_SEED=7 jest fuzz.
 */

import { normalize } from '@drawbridge/core/identity/normalize'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { mutations } from '@drawbridge/xml-signature/differential/mutate-message'
import { type Random, randomFrom } from '@drawbridge/xml-signature/differential/random'
import { beforeAll, describe, expect, test } from 'vitest'
import type { SamlConnection } from '../connection-configuration.js'
import { upstreamErrors } from '../error.js'
import { aFixtureKey } from './fixtures/a-certificate.js'
import { fixtureParties } from './fixtures/a-saml-response.js'
import { aServiceProvider } from './fixtures/a-service-provider.js'
import { told, vendorLogins } from './fixtures/a-vendor-login.js'
import { find, has, setInner } from './fixtures/edit-xml.js'
import { vendorMessages } from './fixtures/vendor-messages.js'
import type { ServiceProvider, ServiceProviderKey } from './service-provider.js'
import { type SignatureReaderName, signatureReaderNames } from './signature-reader-name.js'
import { verifySamlResponse } from './verify-response.js'

const runs = Number(process.env['DRAWBRIDGE_FUZZ_RUNS'] ?? 1500)
const seed = Number(process.env['DRAWBRIDGE_FUZZ_SEED'] ?? 20_261_123)
const key = aFixtureKey()
let ours: ServiceProvider & { readonly active: ServiceProviderKey }
/** Two honest messages of one IdP, and who is in them. */
type Pair = { readonly name: string; readonly connection: SamlConnection; readonly message: string; readonly other: string }
let pairs: readonly Pair[]

beforeAll(async () => {
  ours = await aServiceProvider()
  const { loginOf } = vendorLogins(key, () => ours)
  const grace = (xml: string) =>
    setInner(xml, 'NameID', 'grace@acme.example')
      .replace(/\bada\b/g, 'grace')
      .replace(/Ada/g, 'Grace')
  pairs = await Promise.all(
    vendorMessages.map(async ({ name }) => {
      const { connection, message } = await loginOf(name)
      return { name, connection, message, other: (await loginOf(name, grace)).message }
    }),
  )
}, 60_000)

/** Who is in, as JSON; undefined: nobody. It throws where verification does. `twice`: and what is asked again is answered the same. */
function judge(pair: Pair, octets: Buffer, signatureReader: SignatureReaderName, twice = false): string | undefined {
  const connection = { ...pair.connection, signatureReader }
  const { acsUrl, requestId: expectedRequestId, now } = fixtureParties
  const expected = { connectionId: 'c1' as ConnectionId, connection, acsUrl, expectedRequestId, now, serviceProvider: ours }
  const verdict = verifySamlResponse(octets.toString('base64'), expected)
  if (twice && JSON.stringify(verifySamlResponse(octets.toString('base64'), expected)) !== JSON.stringify(verdict))
    throw new Error('two verdicts on one message')
  if (!verdict.ok) {
    if (!(verdict.error.reason in upstreamErrors)) throw new Error(`no reason of the catalogue: ${verdict.error.reason}`)
    return undefined
  }
  const identity = normalize(verdict.value, connection.mapping)
  return JSON.stringify(told(identity.ok ? identity.value : identity.error.reason))
}

const names = Object.keys(mutations)
const kinds = ['text', 'octets', 'octets', 'text and octets'] as const

function mutate({ message, other }: Pair, random: Random): { readonly octets: Buffer; readonly how: string } {
  const kind = random.pick(kinds)
  const chosen = kind === 'octets' ? [] : Array.from({ length: random.pick([1, 1, 2, 3]) }, () => random.pick(names))
  const text = chosen.reduce(
    (changed, name) => (changed === '' ? changed : (mutations[name]?.(changed, random, other) ?? changed)),
    message,
  )
  const octets = Buffer.from(text, 'utf8')
  return { octets: kind === 'text' ? octets : changeOctets(octets, random), how: `${kind}: ${chosen.join(', ')}` }
}

function changeOctets(octets: Buffer, random: Random): Buffer {
  if (octets.length === 0) return octets
  const [at, length] = [random.below(octets.length), 1 + random.below(8)]
  const piece = octets.subarray(at, at + length)
  const changes = [
    () => Buffer.concat([octets.subarray(0, at), octets.subarray(at + length)]),
    () => Buffer.concat([octets.subarray(0, at), piece, octets.subarray(at)]),
    () => Buffer.concat([octets.subarray(0, at), Buffer.from([random.below(256)]), octets.subarray(at)]),
    () => flipped(octets, at, random.below(8)),
  ]
  return random.pick(changes)()
}

function flipped(octets: Buffer, at: number, bit: number): Buffer {
  const changed = Buffer.from(octets)
  changed[at] = (changed[at] as number) ^ (1 << bit)
  return changed
}

const declarations = (message: string) => [...message.matchAll(/\sxmlns(:\w+)?="[^"]*"/g)]

describe.each(signatureReaderNames)('read by %s', (reader) => {
  test(
    `${runs} changed messages: nobody but ada and grace comes in, and nothing is thrown`,
    () => {
      const random = randomFrom(seed)
      const honest = pairs.map((pair) => [judge(pair, Buffer.from(pair.message), reader), judge(pair, Buffer.from(pair.other), reader)])
      expect(honest.flat().every((identity) => identity !== undefined)).toBe(true)
      const found: string[] = []
      for (let run = 0; run < runs; run += 1) {
        const index = random.below(pairs.length)
        const pair = pairs[index] as Pair
        const { octets, how } = mutate(pair, random)
        try {
          const identity = judge(pair, octets, reader, run % 8 === 0)
          if (identity !== undefined && honest[index]?.includes(identity) !== true)
            found.push(`${pair.name}, ${how}: ${identity}: ${octets.toString('base64')}`)
        } catch (thrown) {
          found.push(`${pair.name}, ${how}: threw ${String(thrown)}: ${octets.toString('base64')}`)
        }
      }
      expect(found).toEqual([])
    },
    60_000 + 20 * runs,
  )

  test('a flipped bit in what the key signed is refused', () => {
    const random = randomFrom(seed + 1)
    const accepted: string[] = []
    for (const pair of pairs) {
      // Of the assertion, what is no part of its own signature; of an encrypted one, the cipher text.
      const element = has(pair.message, 'Assertion') ? 'Assertion' : 'EncryptedData'
      const { from, to } = find(pair.message, element)
      const signature = has(pair.message.slice(from, to), 'Signature')
        ? find(pair.message, 'Signature', pair.message.indexOf('Signature') < from ? 1 : 0)
        : undefined
      for (let count = 0; count < 12; count += 1) {
        const at = from + random.below(to - from)
        if (signature !== undefined && at >= signature.from && at < signature.to) continue
        // A declaration that nothing visible uses is no part of the canonical form.
        if (declarations(pair.message).some(({ index, 0: { length } }) => at >= index && at < index + length)) continue
        const octets = flipped(Buffer.from(pair.message, 'latin1'), at, random.below(8))
        if (judge(pair, octets, reader) !== undefined) accepted.push(`${pair.name} at ${at}: ${pair.message.slice(at - 20, at + 20)}`)
      }
    }
    expect(accepted).toEqual([])
  })
})
