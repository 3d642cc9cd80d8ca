/** What is looked at first, and what is believed of a key. The table of tricks is asked of the token endpoint: `testkit/dpop-attacks`. */
import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import { instant } from '@drawbridge/core/instant'
import { dpopAlgorithms } from '@drawbridge/core/oauth/dpop-proof'
import { describe, expect, it } from 'vitest'
import { readDpopProof } from './dpop-proof.js'
import { type ForeignAlgorithm, signWith } from './foreign-algorithms.js'
import { thumbprint } from './signing-keys.js'

const now = instant(1_800_000_000_000)
const expected = { method: 'POST', url: 'https://login.example/t/acme/token', now }
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ed = generateKeyPairSync('ed25519')
const pairFor = (algorithm: string) => (algorithm === 'ES256' ? ec : algorithm.startsWith('E') ? ed : rsa)
const jwkOf = (key: KeyObject) => key.export({ format: 'jwk' }) as Record<string, string>

type Change = { readonly algorithm?: ForeignAlgorithm; readonly header?: object; readonly claims?: object; readonly signature?: Buffer }
function aProof({ algorithm = 'ES256', header = {}, claims = {}, signature }: Change = {}): string {
  const { publicKey, privateKey } = pairFor(algorithm)
  const said = { jti: randomUUID(), htm: 'POST', htu: expected.url, iat: now / 1000, ...claims }
  const input = [{ typ: 'dpop+jwt', alg: algorithm, jwk: jwkOf(publicKey), ...header }, said]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  return `${input}.${(signature ?? signWith(algorithm, privateKey, Buffer.from(input))).toString('base64url')}`
}
/** What it is refused for, and whether its key was looked at. */
function judge(proof: string): readonly [when: 'read' | 'verified', reason: string | undefined] {
  const read = readDpopProof(proof, expected)
  if (!read.ok) return ['read', read.error]
  const verified = read.value.verify()
  return ['verified', verified.ok ? undefined : verified.error]
}
const unusableKey = { jwk: { kty: 'RSA', n: 'AQAB', e: 'AQAB' } }

describe('a proof', () => {
  it.each(dpopAlgorithms)('that is signed by %s is believed, by the thumbprint of its key', (algorithm) => {
    const read = readDpopProof(aProof({ algorithm, claims: { jti: 'one', nonce: 'n' } }), expected)
    expect(read).toMatchObject({ ok: true, value: { nonce: 'n' } })
    const verified = read.ok && read.value.verify()
    expect(verified).toEqual({
      ok: true,
      value: { jti: 'one', rememberUntil: now + 120_000, thumbprint: thumbprint(jwkOf(pairFor(algorithm).publicKey)) },
    })
  })

  it.each([
    ['of another request', { claims: { htm: 'GET' } }, 'dpop_proof_of_other_request'],
    ['of another hour', { claims: { iat: now / 1000 - 3600 } }, 'dpop_proof_not_of_now'],
    ['of no type', { header: { typ: undefined } }, 'dpop_proof_malformed'],
    ['of an algorithm that is not listed', { header: { alg: 'HS256' } }, 'dpop_proof_key_unusable'],
  ] as const)('%s is refused before its key is looked at', (_, change, reason) => {
    expect(judge(aProof({ ...change, header: { ...unusableKey, ...('header' in change ? change.header : {}) } }))).toEqual(['read', reason])
  })

  it.each([
    ['its key is not usable', { header: unusableKey }, 'dpop_proof_key_unusable'],
    ['its key is of another kind than its algorithm', { header: { jwk: jwkOf(rsa.publicKey) } }, 'dpop_proof_key_unusable'],
    ['another key signed it', { signature: Buffer.alloc(64, 1) }, 'dpop_proof_signature_wrong'],
    ['its signature is of another form', { signature: Buffer.alloc(70, 1) }, 'dpop_proof_signature_wrong'],
  ] as const)('is refused at the end because %s', (_, change, reason) => {
    expect(judge(aProof(change))).toEqual(['verified', reason])
  })

  it.each(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'])('whose key has the secret member %s is refused', (member) => {
    const jwk = { ...jwkOf(ec.publicKey), [member]: 'AA' }
    expect(judge(aProof({ header: { jwk } }))).toEqual(['verified', 'dpop_proof_key_unusable'])
  })

  it('has the thumbprint of its key, whatever else stands in it', () => {
    const read = readDpopProof(
      aProof({ header: { jwk: { ...jwkOf(ec.publicKey), kid: 'x', alg: 'ES512', use: 'enc', extra: 1 } } }),
      expected,
    )
    const verified = read.ok ? read.value.verify() : read
    expect(verified).toMatchObject({ ok: true, value: { thumbprint: thumbprint(jwkOf(ec.publicKey)) } })
  })

  it.each([
    '',
    '.',
    '..',
    'a.b.c',
    'e30.e30.',
    'bnVsbA.bnVsbA.AA',
    'W10.W10.AA',
    ` ${aProof()}`,
    `${aProof()}=`,
    `${aProof()}, ${aProof()}`,
  ])('is none: %j', (text) => expect(judge(text)).toEqual(['read', 'dpop_proof_malformed']))
})
