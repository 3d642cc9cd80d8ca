import { randomBytes } from 'node:crypto'
import { createSealer } from '@drawbridge/crypto/seal'
import { expect, it } from 'vitest'
import { formProof, isFormProof } from './form-proof.js'

const sealer = createSealer([{ version: 1, key: randomBytes(32) }])
const bound = ['acme', 'draft', null]
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

it('a proof is good for its kind of form and for what that was bound to, and in one spelling', () => {
  const proof = formProof(sealer, 'setup-proof', bound)
  expect(isFormProof(sealer, 'setup-proof', bound, proof)).toBe(true)
  expect(isFormProof(sealer, 'step-proof', bound, proof)).toBe(false)
  expect(isFormProof(sealer, 'setup-proof', ['acme', 'draft', ''], proof)).toBe(false)
  // A decoder drops the last two bits, so four spellings mean the same octets.
  const spellings = Array.from(alphabet).filter((last) => isFormProof(sealer, 'setup-proof', bound, `${proof.slice(0, -1)}${last}`))
  expect(spellings).toEqual([proof.at(-1)])
  for (const text of [undefined, '', 'x', `${proof}=`, ` ${proof}`, proof.replace('1.', '2.'), proof.replace('1.', '01.')])
    expect([text, isFormProof(sealer, 'setup-proof', bound, text)]).toEqual([text, false])
})
