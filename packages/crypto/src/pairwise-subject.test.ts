import { expect, it } from 'vitest'
import { generatePairwiseKey, pairwiseKeyOctets, pairwiseSubject } from './pairwise-subject.js'
import { systemRandom } from './random.js'

const key = Buffer.alloc(pairwiseKeyOctets, 7)
const of = { issuerId: 'i', sector: 'app.example', subject: 's' }

it('is what it always was: clients know people by it', () => {
  expect(pairwiseSubject(key, of)).toBe('HLZMSNYhEFoMvxVcaxrUBovLn1LczW4I9iI4vSAYAo0')
})

it('is another for another key, issuer, sector or person, however their texts are put together', () => {
  const others = [
    pairwiseSubject(Buffer.alloc(pairwiseKeyOctets, 8), of),
    pairwiseSubject(key, { ...of, issuerId: 'j' }),
    pairwiseSubject(key, { ...of, sector: 'other.example' }),
    pairwiseSubject(key, { ...of, subject: 't' }),
    pairwiseSubject(key, { issuerId: 'i', sector: 'app.examples', subject: '' }),
    pairwiseSubject(key, { issuerId: 'i","app.example', sector: 's', subject: '' }),
  ]
  expect(new Set([pairwiseSubject(key, of), ...others]).size).toBe(others.length + 1)
  expect(pairwiseSubject(key, of)).toMatch(/^[A-Za-z0-9_-]{43}$/)
})

it('comes of a key that nobody guesses', () => {
  const [one, other] = [generatePairwiseKey(systemRandom()), generatePairwiseKey(systemRandom())]
  expect([one.length, one.equals(other)]).toEqual([pairwiseKeyOctets, false])
})
