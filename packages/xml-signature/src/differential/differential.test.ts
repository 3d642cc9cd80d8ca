// A small fixed part of the differential comparison. The large one is run by hand and prints docs/reference/xml-signature-differential.md.
import { expect, test } from 'vitest'
import { compare } from './compare.js'

test('no message is accepted by us alone, read with another identity, or refused though it is honest', async () => {
  const plan = { seed: 1, messages: 360, minutes: 10, sampleRefused: 20, sampleAccepted: 8 }
  const { counts, disagreements } = await compare(plan)
  expect(disagreements).toEqual([])
  expect(counts.get('we accept: honest')).toBe(30)
  expect(counts.get('octets and tree agree')).toBeGreaterThan(60)
  expect(counts.get('xml-crypto: accepts, same octets')).toBeGreaterThan(5)
}, 120_000)
