/**
 * Tricks with DPoP proofs, as a table: each makes the value of a DPoP header for a request that would be answered if the proof were honest. Add a
 * row, and every place that verifies proofs is asked.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { type ADpopKey, aDpopKey, type ProofOver, unsignedProof } from './a-dpop-key.js'

export type ProofTarget = {
  readonly key: ADpopKey
  readonly method: string
  readonly url: string
  readonly now: number
  /** What an honest proof says here besides, as `ath` where a token is used. The key must say it, too. */
  readonly besides?: Readonly<Record<string, unknown>>
}
export type DpopAttack = {
  readonly when: string
  /** Why it is refused; nobody tells the sender. */
  readonly reason: string
  readonly header: (target: ProofTarget) => Promise<string>
}

const over =
  (change: ProofOver | ((target: ProofTarget) => ProofOver)) =>
  ({ key, ...target }: ProofTarget): Promise<string> =>
    key.prove(target, typeof change === 'function' ? change({ key, ...target }) : change)

const claims = (change: (target: ProofTarget) => Readonly<Record<string, unknown>>) => over((target) => ({ claims: change(target) }))
const elsewhere = (change: (url: URL) => unknown) =>
  claims(({ url }) => {
    const other = new URL(url)
    change(other)
    return { htu: other.href }
  })
const said = ({ method, url, now, besides }: ProofTarget) => ({
  ...{ jti: randomUUID(), htm: method, htu: url, iat: Math.floor(now / 1000) },
  ...besides,
})
const seconds = ({ now }: ProofTarget) => Math.floor(now / 1000)

export const dpopAttacks: readonly DpopAttack[] = [
  // Shape.
  { when: 'it is empty', reason: 'dpop_proof_malformed', header: async () => '' },
  { when: 'it is no JWT', reason: 'dpop_proof_malformed', header: async () => 'proof' },
  { when: 'it is longer than any honest one', reason: 'dpop_proof_malformed', header: over({ claims: { pad: 'x'.repeat(4096) } }) },
  {
    when: 'two came in two headers',
    reason: 'dpop_proof_malformed',
    header: async (target) => `${await over({})(target)}, ${await over({})(target)}`,
  },
  { when: 'an empty one came beside it', reason: 'dpop_proof_malformed', header: async (target) => `${await over({})(target)}, ` },
  { when: 'it has a fourth part', reason: 'dpop_proof_malformed', header: async (target) => `${await over({})(target)}.e30` },
  // Header.
  { when: 'its type is that of any JWT', reason: 'dpop_proof_malformed', header: over({ header: { typ: 'JWT' } }) },
  { when: 'its type is that of an access token', reason: 'dpop_proof_malformed', header: over({ header: { typ: 'at+jwt' } }) },
  { when: 'its type is written otherwise', reason: 'dpop_proof_malformed', header: over({ header: { typ: 'DPoP+JWT' } }) },
  { when: 'it has no type', reason: 'dpop_proof_malformed', header: over({ header: { typ: undefined } }) },
  {
    when: 'it has something critical that nobody knows',
    reason: 'dpop_proof_malformed',
    header: async (target) =>
      unsignedProof({ typ: 'dpop+jwt', alg: 'ES256', jwk: target.key.publicJwk, crit: ['x'], x: 1 }, said(target), 'AA'),
  },
  {
    when: 'it says that nobody signed it',
    reason: 'dpop_proof_malformed',
    header: async (target) => unsignedProof({ typ: 'dpop+jwt', alg: 'none', jwk: target.key.publicJwk }, said(target)),
  },
  {
    when: 'it says that nobody signed it, and has a signature',
    reason: 'dpop_proof_key_unusable',
    header: async (target) => unsignedProof({ typ: 'dpop+jwt', alg: 'none', jwk: target.key.publicJwk }, said(target), 'AA'),
  },
  {
    when: 'it is authenticated by a secret',
    reason: 'dpop_proof_key_unusable',
    header: over(() => {
      const secret = randomBytes(32)
      return { header: { alg: 'HS256', jwk: { kty: 'oct', k: secret.toString('base64url') } }, signedBy: secret }
    }),
  },
  {
    when: 'the public key was taken for a secret',
    reason: 'dpop_proof_key_unusable',
    header: over(({ key }) => ({ header: { alg: 'HS256' }, signedBy: Buffer.from(JSON.stringify(key.publicJwk).padEnd(64)) })),
  },
  {
    when: 'it is signed by an algorithm that is not listed',
    reason: 'dpop_proof_key_unusable',
    header: async (target) => (await aDpopKey('ES384')).prove(target),
  },
  // Key.
  { when: 'it has no key', reason: 'dpop_proof_key_unusable', header: over({ header: { jwk: undefined } }) },
  {
    when: 'it names its key instead of having it',
    reason: 'dpop_proof_key_unusable',
    header: over({ header: { jwk: undefined, kid: 'key', jku: 'https://evil.example/jwks' } }),
  },
  {
    when: 'the private key is in it',
    reason: 'dpop_proof_key_unusable',
    header: over(({ key }) => ({ header: { jwk: key.privateJwk } })),
  },
  {
    when: 'a prime of a key is in it',
    reason: 'dpop_proof_key_unusable',
    header: over(({ key }) => ({ header: { jwk: { ...key.publicJwk, p: 'AA' } } })),
  },
  {
    when: 'its key is of another kind than its algorithm',
    reason: 'dpop_proof_key_unusable',
    header: async (target) => target.key.prove(target, { header: { jwk: (await aDpopKey('Ed25519')).publicJwk } }),
  },
  {
    when: 'its point is not on the curve',
    reason: 'dpop_proof_key_unusable',
    header: over(({ key }) => ({ header: { jwk: { ...key.publicJwk, y: key.publicJwk.x } } })),
  },
  {
    when: 'its RSA key is larger than anybody needs',
    reason: 'dpop_proof_key_unusable',
    header: async (target) => unsignedProof({ ...rsaHeader, jwk: { kty: 'RSA', e: 'AQAB', n: numberOf(513) } }, said(target), 'AA'),
  },
  {
    when: 'its RSA key is short',
    reason: 'dpop_proof_key_unusable',
    header: async (target) => unsignedProof({ ...rsaHeader, jwk: { kty: 'RSA', e: 'AQAB', n: numberOf(128) } }, said(target), 'AA'),
  },
  {
    when: 'the exponent of its RSA key makes verifying dear',
    reason: 'dpop_proof_key_unusable',
    header: async (target) => unsignedProof({ ...rsaHeader, jwk: { kty: 'RSA', e: numberOf(256), n: numberOf(256) } }, said(target), 'AA'),
  },
  {
    when: 'another key signed it',
    reason: 'dpop_proof_signature_wrong',
    header: async (target) => target.key.prove(target, { signedBy: (await aDpopKey()).privateKey }),
  },
  {
    when: 'it was changed after it was signed',
    reason: 'dpop_proof_signature_wrong',
    header: async (target) => {
      const [header, , signature] = (await over({})(target)).split('.')
      return `${header}.${Buffer.from(JSON.stringify(said(target))).toString('base64url')}.${signature}`
    },
  },
  // Claims.
  { when: 'it has no id', reason: 'dpop_proof_malformed', header: claims(() => ({ jti: undefined })) },
  { when: 'its id is empty', reason: 'dpop_proof_malformed', header: claims(() => ({ jti: '' })) },
  { when: 'its id is no text', reason: 'dpop_proof_malformed', header: claims(() => ({ jti: ['a'] })) },
  { when: 'its id is endless', reason: 'dpop_proof_malformed', header: claims(() => ({ jti: 'x'.repeat(257) })) },
  { when: 'it names no method', reason: 'dpop_proof_malformed', header: claims(() => ({ htm: undefined })) },
  { when: 'it names no address', reason: 'dpop_proof_malformed', header: claims(() => ({ htu: undefined })) },
  { when: 'it says not when it was made', reason: 'dpop_proof_malformed', header: claims(() => ({ iat: undefined })) },
  {
    when: 'it says in words when it was made',
    reason: 'dpop_proof_malformed',
    header: claims((target) => ({ iat: String(seconds(target)) })),
  },
  { when: 'it is of another method', reason: 'dpop_proof_of_other_request', header: claims(() => ({ htm: 'GET' })) },
  {
    when: 'its method is in lower case',
    reason: 'dpop_proof_of_other_request',
    header: claims(({ method }) => ({ htm: method.toLowerCase() })),
  },
  { when: 'it is of another server', reason: 'dpop_proof_of_other_request', header: elsewhere((url) => (url.hostname = 'evil.example')) },
  { when: 'it is of another port', reason: 'dpop_proof_of_other_request', header: elsewhere((url) => (url.port = '8443')) },
  {
    when: 'it is of another scheme',
    reason: 'dpop_proof_of_other_request',
    header: claims(({ url }) => ({ htu: url.startsWith('https:') ? url.replace('https:', 'http:') : url.replace('http:', 'https:') })),
  },
  { when: 'it is of another path', reason: 'dpop_proof_of_other_request', header: elsewhere((url) => (url.pathname += 's')) },
  { when: 'its address has one slash more', reason: 'dpop_proof_of_other_request', header: elsewhere((url) => (url.pathname += '/')) },
  {
    when: 'its path is in another case',
    reason: 'dpop_proof_of_other_request',
    header: elsewhere((url) => (url.pathname = url.pathname.toUpperCase())),
  },
  { when: 'its address is a path', reason: 'dpop_proof_of_other_request', header: claims(({ url }) => ({ htu: new URL(url).pathname })) },
  {
    when: 'its address has somebody’s name in it',
    reason: 'dpop_proof_of_other_request',
    header: claims(({ url }) => ({ htu: url.replace('://', '://user@') })),
  },
  {
    when: 'its address is one that a parser mends',
    reason: 'dpop_proof_of_other_request',
    header: claims(({ url }) => ({ htu: url.replace('://', ':\\\\') })),
  },
  { when: 'it is old', reason: 'dpop_proof_not_of_now', header: claims((target) => ({ iat: seconds(target) - 121 })) },
  { when: 'it is of the future', reason: 'dpop_proof_not_of_now', header: claims((target) => ({ iat: seconds(target) + 32 })) },
  { when: 'it is of the end of days', reason: 'dpop_proof_not_of_now', header: claims(() => ({ iat: 9e15 })) },
]

const rsaHeader = { typ: 'dpop+jwt', alg: 'RS256' }
const numberOf = (octets: number): string => Buffer.alloc(octets, 0xff).toString('base64url')
