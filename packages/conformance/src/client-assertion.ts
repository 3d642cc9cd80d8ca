/** By which assertions a client that has a key proves itself: by its own, meant for this server, once. */
import assert from 'node:assert/strict'
import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { type Answered, post, type Requirement, refusedWith, type Target } from './requirement.js'

type Signer = (input: Buffer) => Buffer
type Change = { readonly header?: object; readonly claims?: object; readonly by?: Signer }

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const byKey =
  (key: KeyObject): Signer =>
  (input) =>
    sign('sha256', input, { key, dsaEncoding: 'ieee-p1363' })
/** The classic confusion: whoever takes the public key for a shared secret believes everybody who can read it. */
const byPublicKey =
  (privateKey: KeyObject): Signer =>
  (input) =>
    createHmac('sha256', createPublicKey(privateKey).export({ format: 'pem', type: 'spki' }))
      .update(input)
      .digest()
const byNobody: Signer = () => Buffer.of()

const seconds = (): number => Math.floor(Date.now() / 1000)

/** A good assertion, ES256, but for what is changed. */
function anAssertion({ issuer, keyed }: Target, { header = {}, claims = {}, by = byKey(keyed.privateKey) }: Change = {}): string {
  const said = { iss: keyed.id, sub: keyed.id, aud: issuer, iat: seconds(), exp: seconds() + 60, jti: randomUUID() }
  const input = `${encode({ alg: 'ES256', kid: keyed.kid, ...header })}.${encode({ ...said, ...claims })}`
  return `${input}.${by(Buffer.from(input)).toString('base64url')}`
}

const present = ({ issuer, resource }: Target, assertion: string, more: readonly [string, string][] = []): Promise<Answered> =>
  post(
    `${issuer}/token`,
    new URLSearchParams([
      ['grant_type', 'client_credentials'],
      ['resource', resource],
      ['client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'],
      ['client_assertion', assertion],
      ...more,
    ]),
  )

const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const byStranger = byKey(stranger.privateKey)
const strangersJwk = stranger.publicKey.export({ format: 'jwk' })

const refused: readonly [section: string, level: Requirement['level'], says: string, change: (target: Target) => Change][] = [
  ['RFC 8725 §3.2', 'MUST NOT', 'believes an assertion that nobody signed', () => ({ header: { alg: 'none' }, by: byNobody })],
  [
    'RFC 8725 §3.1',
    'MUST NOT',
    'takes the public key of a client for a shared secret',
    ({ keyed }) => ({ header: { alg: 'HS256' }, by: byPublicKey(keyed.privateKey) }),
  ],
  ['RFC 8725 §3.1', 'MUST', 'holds a key to its own algorithm', () => ({ header: { alg: 'RS256' } })],
  ['RFC 7523 §3', 'MUST', 'refuses an assertion that another key signed', () => ({ by: byStranger })],
  [
    'RFC 8725 §3.10',
    'MUST NOT',
    'believes the key that an assertion brings along',
    () => ({ header: { jwk: strangersJwk, kid: undefined }, by: byStranger }),
  ],
  [
    'RFC 8725 §3.10',
    'MUST NOT',
    'looks for keys where an assertion says',
    ({ issuer }) => ({ header: { jku: `${issuer}/jwks`, x5u: `${issuer}/jwks`, kid: 'elsewhere' }, by: byStranger }),
  ],
  ['RFC 7515 §4.1.11', 'MUST', 'refuses a critical header that it does not know', () => ({ header: { crit: ['unheard'], unheard: 1 } })],
  ['RFC 8725 §3.11', 'SHOULD', 'refuses another kind of message of the same key', () => ({ header: { typ: 'at+jwt' } })],
  ['RFC 7523 §3', 'MUST', 'refuses an assertion that is not meant for it', ({ otherIssuer }) => ({ claims: { aud: otherIssuer } })],
  [
    'RFC 7523bis §4',
    'MUST',
    'refuses an assertion that is meant for others, too',
    ({ issuer, otherIssuer }) => ({ claims: { aud: [issuer, otherIssuer] } }),
  ],
  ['RFC 7523 §3', 'MUST', 'refuses an assertion without an audience', () => ({ claims: { aud: undefined } })],
  ['RFC 7523 §3', 'MUST', 'refuses an assertion of another issuer', ({ otherClientId }) => ({ claims: { iss: otherClientId } })],
  ['RFC 7523 §3', 'MUST', 'refuses an assertion of another subject', ({ otherClientId }) => ({ claims: { sub: otherClientId } })],
  ['RFC 7523 §3', 'MUST', 'refuses an assertion that is over', () => ({ claims: { exp: seconds() - 300 } })],
  ['RFC 7523 §3', 'MUST', 'refuses an assertion without an end', () => ({ claims: { exp: undefined } })],
  ['RFC 7523 §3', 'SHOULD', 'refuses an assertion whose end is far away', () => ({ claims: { exp: seconds() + 86_400 } })],
  ['RFC 7523 §3', 'MUST', 'refuses an assertion before its time', () => ({ claims: { nbf: seconds() + 300 } })],
]

export const clientAssertionRequirements: readonly Requirement[] = [
  ...refused.map(
    ([section, level, says, change]): Requirement => ({
      section,
      level,
      says,
      ask: async (target) => {
        const answered = await present(target, anAssertion(target, change(target)))
        refusedWith(answered, ['invalid_client'])
        assert.equal(answered.status, 401)
      },
    }),
  ),
  {
    section: 'OpenID Connect Core 1.0 §9',
    level: 'MUST',
    says: 'believes an assertion once, also when it comes many times at once',
    ask: async (target) => {
      const assertion = anAssertion(target)
      const answers = await Promise.all(Array.from({ length: 8 }, () => present(target, assertion)))
      const [believed, others] = [answers.filter(({ status }) => status === 200), answers.filter(({ status }) => status !== 200)]
      assert.equal(believed.length, 1)
      for (const other of others) refusedWith(other, ['invalid_client'])
      refusedWith(await present(target, assertion), ['invalid_client'])
    },
  },
  {
    section: 'RFC 6749 §3.2',
    level: 'MUST NOT',
    says: 'takes an assertion, its type or the name of the client twice',
    ask: async (target) => {
      const assertion = anAssertion(target)
      const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
      const twice: readonly [string, string][][] = [
        [['client_assertion', assertion]],
        [['client_assertion_type', type]],
        [
          ['client_id', target.keyed.id],
          ['client_id', target.keyed.id],
        ],
      ]
      for (const more of twice) refusedWith(await present(target, assertion, more), ['invalid_request'])
    },
  },
  {
    section: 'RFC 7521 §4.2',
    level: 'MUST',
    says: 'refuses an assertion beside the name of another client',
    ask: async (target) =>
      refusedWith(await present(target, anAssertion(target), [['client_id', target.otherClientId]]), ['invalid_client', 'invalid_request']),
  },
  {
    section: 'RFC 6749 §2.3',
    level: 'MUST NOT',
    says: 'believes an assertion beside a secret',
    ask: async (target) =>
      refusedWith(await present(target, anAssertion(target), [['client_secret', target.machine.secret]]), [
        'invalid_request',
        'invalid_client',
      ]),
  },
]
