/** Metadata of every vendor, changed: never an exception, always one diagnosis; and where a certificate is pinned, nothing counts that it did not sign. */
import { instant } from '@drawbridge/core/instant'
import { mutations } from '@drawbridge/xml-signature/differential/mutate-message'
import { randomFrom } from '@drawbridge/xml-signature/differential/random'
import { expect, test } from 'vitest'
import { parseConnection } from '../connection-configuration.js'
import { aFixtureKey } from './fixtures/a-certificate.js'
import { aKey, metadataLike, plainMetadata, signMetadata } from './fixtures/vendor-metadata.js'
import { diagnose } from './metadata-diagnosis.js'
import { type VendorId, vendors } from './metadata-vendors.js'

const now = instant(Date.UTC(2026, 10, 23))
const keys = [aKey().certificate, aKey().certificate, aKey().certificate]
const ids = Object.keys(vendors) as VendorId[]
const names = Object.keys(mutations)
const publisher = aFixtureKey()
const flipped = (text: string, at: number, bit: number): string => {
  const octets = Buffer.from(text, 'utf8')
  octets[at] = (octets[at] as number) ^ (1 << bit)
  return octets.toString('utf8')
}

test.each(ids)('%s: whatever is made of it is diagnosed, twice the same, and what becomes a connection parses', (id) => {
  const random = randomFrom(ids.indexOf(id))
  const [document, other] = [metadataLike(id, keys), metadataLike(ids[(ids.indexOf(id) + 1) % ids.length] as string, keys)]
  for (let run = 0; run < 60; run += 1) {
    const changed = random.oneIn(3)
      ? flipped(document, random.below(Buffer.byteLength(document)), random.below(8))
      : (mutations[random.pick(names)]?.(document, random, other) ?? document)
    const seen = diagnose(changed, { now })
    expect(diagnose(changed, { now })).toEqual(seen)
    if (seen.configuration !== undefined) expect(parseConnection('saml', seen.configuration)).toMatchObject({ ok: true })
  }
})

test('a flipped bit in signed metadata leaves nothing to use, or nothing changed', () => {
  const random = randomFrom(1)
  const pinned = [publisher.certificate]
  const signed = signMetadata(plainMetadata({ certificates: keys, entityId: 'https://idp.acme.example' }), publisher)
  const honest = diagnose(signed, { now, pinned }).configuration
  expect(honest).toBeDefined()
  for (let run = 0; run < 200; run += 1) {
    const { configuration } = diagnose(flipped(signed, random.below(signed.length), random.below(8)), { now, pinned })
    if (configuration !== undefined) expect(configuration).toEqual(honest)
  }
})
