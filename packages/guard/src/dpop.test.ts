/** Tokens that are bound to a key, at a resource server: with their proof, without it, and with every proof that is none. RFC 9449 §4.3, §7. */
import { generateKeyPair } from 'jose'
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest'
import { type AProver, aProver, hashOfToken, type ProofOver } from '../test/a-prover.js'
import { type AnIssuer, anIssuer, resource } from '../test/an-issuer.js'
import { eventually } from '../test/verdicts.js'
import { createGuard, type Guard, type GuardOptions } from './create-guard.js'
import type { GuardRefusal } from './refusal.js'

const issuerUrl = 'https://login.example/t/acme'
const url = 'https://mcp.example/mcp'
let nowMs = 0
let issuer: AnIssuer
let prover: AProver
const started: Guard[] = []

beforeEach(async () => {
  nowMs = Date.now()
  issuer = await anIssuer({ issuer: issuerUrl, tenant: 'acme', now: () => nowMs })
  prover = await aProver()
})
afterEach(async () => {
  await Promise.all(started.splice(0).map((guard) => guard.stop()))
})

async function aGuard(over: Partial<GuardOptions> = {}): Promise<Guard> {
  const guard = createGuard({
    resource,
    issuers: [{ issuer: issuerUrl, credential: { id: 'id', secret: 'dbx_secret' } }],
    toolScopes: { search: ['documents:read'] },
    baseScopes: ['documents:read'],
    onDeaf: 'refuse',
    fetch: issuer.fetch,
    now: () => nowMs,
    ...over,
  })
  started.push(guard)
  await guard.start()
  return guard
}
/** A guard hears meanwhile that there is nothing new. */
async function later(milliseconds: number): Promise<void> {
  nowMs += milliseconds
  const count = issuer.polls.length
  issuer.push({})
  await eventually(() => issuer.polls.length > count)
}
const aBoundToken = (claims = {}) => issuer.signToken({ cnf: { jkt: prover.thumbprint }, ...claims })
type Sent = { readonly token: string; readonly proof?: string; readonly scheme?: string; readonly method?: string; readonly path?: string }
const send = (guard: Guard, { token, proof, scheme = 'DPoP', method = 'POST', path = '/mcp' }: Sent) =>
  guard.check({ authorization: `${scheme} ${token}`, dpop: proof, method, path }, ['documents:read'])
const reason = async (guard: Guard, sent: Sent): Promise<GuardRefusal | 'let through'> => {
  const verdict = await send(guard, sent)
  return verdict.ok ? 'let through' : verdict.error.reason
}
const prove = (token: string, over?: ProofOver, by = prover) => by.prove({ token, method: 'POST', url, now: nowMs }, over)
const challengeOf = async (guard: Guard, sent: Sent) => {
  const verdict = await send(guard, sent)
  return verdict.ok ? undefined : { status: verdict.error.status, challenge: verdict.error.headers['WWW-Authenticate'] }
}

describe('a token that is bound to a key', () => {
  it.each(['ES256', 'EdDSA', 'Ed25519', 'RS256', 'PS256'])(
    'is let through with a proof by %s, and says by which key',
    async (algorithm) => {
      const guard = await aGuard()
      prover = await aProver(algorithm)
      const token = await aBoundToken()
      const verdict = await send(guard, { token, proof: await prove(token) })
      expect(verdict).toMatchObject({ ok: true, value: { subject: 'ada', keyThumbprint: prover.thumbprint } })
    },
  )

  it('is refused as a bearer token, also by a guard whose owner never thought of keys, and the client is told how (§7.1)', async () => {
    const guard = await aGuard()
    const token = await aBoundToken()
    expect(await reason(guard, { token, scheme: 'Bearer' })).toBe('token_bound_to_key')
    expect(await reason(guard, { token, scheme: 'Bearer', proof: await prove(token) })).toBe('token_bound_to_key')
    expect(await guard.check(`Bearer ${token}`)).toMatchObject({ ok: false, error: { reason: 'token_bound_to_key' } })
    expect(await challengeOf(guard, { token, scheme: 'bearer' })).toEqual({
      status: 401,
      challenge: expect.stringMatching(/^DPoP error="invalid_token", .*algs="ES256 EdDSA Ed25519 RS256 PS256", resource_metadata="/),
    })
  })

  it('is refused by a caller that hands over the Authorization header alone', async () => {
    expect(await (await aGuard()).check(`DPoP ${await aBoundToken()}`)).toMatchObject({ ok: false, error: { reason: 'proof_missing' } })
  })

  it('is refused with the proof of another key, made for this very token', async () => {
    const token = await aBoundToken()
    expect(await reason(await aGuard(), { token, proof: await prove(token, {}, await aProver()) })).toBe('token_of_other_key')
  })

  it.each([{ 'x5t#S256': 'A'.repeat(43) }, { jkt: 'short' }, { jkt: 5 }, {}, 'key', null, { jkt: 'A'.repeat(43), other: 1 }])(
    'is refused where it is bound in a way that nobody here can ask for: %j',
    async (cnf) => {
      const token = await issuer.signToken({ cnf } as never)
      expect(await reason(await aGuard(), { token, scheme: 'Bearer' })).toBe('token_malformed')
    },
  )
})

it('a bearer token is refused as a bound one (§7.2), and let through as what it is', async () => {
  const guard = await aGuard()
  const token = await issuer.signToken()
  expect(await reason(guard, { token, proof: await prove(token) })).toBe('token_not_bound')
  expect(await reason(guard, { token, scheme: 'Bearer' })).toBe('let through')
})

const seconds = () => Math.floor(nowMs / 1000)
type Attack = { readonly when: string; readonly told: GuardRefusal; readonly over: () => ProofOver | Promise<ProofOver> }
const attacks: readonly Attack[] = [
  { when: 'it is of another token', told: 'proof_of_other_token', over: () => ({ claims: { ath: hashOfToken('other') } }) },
  { when: 'it names no token, as for a token endpoint', told: 'proof_malformed', over: () => ({ claims: { ath: undefined } }) },
  { when: 'it is of another method', told: 'proof_of_other_request', over: () => ({ claims: { htm: 'GET' } }) },
  { when: 'its method is in lower case', told: 'proof_of_other_request', over: () => ({ claims: { htm: 'post' } }) },
  { when: 'it is of another path', told: 'proof_of_other_request', over: () => ({ claims: { htu: `${url}/other` } }) },
  { when: 'its path has a slash more', told: 'proof_of_other_request', over: () => ({ claims: { htu: `${url}/` } }) },
  { when: 'its path is in another case', told: 'proof_of_other_request', over: () => ({ claims: { htu: 'https://mcp.example/MCP' } }) },
  { when: 'it is of another port', told: 'proof_of_other_request', over: () => ({ claims: { htu: 'https://mcp.example:8443/mcp' } }) },
  { when: 'it is of another scheme', told: 'proof_of_other_request', over: () => ({ claims: { htu: 'http://mcp.example/mcp' } }) },
  { when: 'it is of another server', told: 'proof_of_other_request', over: () => ({ claims: { htu: 'https://evil.example/mcp' } }) },
  {
    when: 'it has somebody’s name in its address',
    told: 'proof_of_other_request',
    over: () => ({ claims: { htu: 'https://x@mcp.example/mcp' } }),
  },
  { when: 'it is old', told: 'proof_not_of_now', over: () => ({ claims: { iat: seconds() - 120 } }) },
  { when: 'it is of the future', told: 'proof_not_of_now', over: () => ({ claims: { iat: seconds() + 31 } }) },
  { when: 'it says not when it was made', told: 'proof_malformed', over: () => ({ claims: { iat: undefined } }) },
  { when: 'it has no id', told: 'proof_malformed', over: () => ({ claims: { jti: undefined } }) },
  { when: 'its id is endless', told: 'proof_malformed', over: () => ({ claims: { jti: 'x'.repeat(257) } }) },
  { when: 'it is any JWT', told: 'proof_malformed', over: () => ({ header: { typ: 'JWT' } }) },
  { when: 'it is longer than any honest one', told: 'proof_malformed', over: () => ({ claims: { pad: 'x'.repeat(4096) } }) },
  { when: 'it has no key', told: 'proof_key_unusable', over: () => ({ header: { jwk: undefined } }) },
  { when: 'the private key is in it', told: 'proof_key_unusable', over: () => ({ header: { jwk: prover.privateJwk } }) },
  {
    when: 'it is authenticated by a secret',
    told: 'proof_key_unusable',
    over: () => ({ header: { alg: 'HS256', jwk: { kty: 'oct', k: 'AA' } }, signedBy: Buffer.alloc(32) }),
  },
  {
    when: 'its key is of another kind than its algorithm',
    told: 'proof_key_unusable',
    over: async () => ({ header: { jwk: (await aProver('Ed25519')).jwk } }),
  },
  {
    when: 'another key signed it',
    told: 'proof_signature_wrong',
    over: async () => ({ signedBy: (await generateKeyPair('ES256')).privateKey }),
  },
]

describe('a proof', () => {
  test.each(attacks)('is refused when $when', async ({ told, over }) => {
    const guard = await aGuard()
    const token = await aBoundToken()
    expect(await reason(guard, { token, proof: await prove(token, await over()) })).toBe(told)
    expect(await reason(guard, { token, proof: await prove(token) })).toBe('let through')
  })

  it('is refused unsigned, twice in one request, and where there is none', async () => {
    const guard = await aGuard()
    const token = await aBoundToken()
    const [header, claims, signature] = (await prove(token)).split('.')
    const none = Buffer.from(JSON.stringify({ typ: 'dpop+jwt', alg: 'none', jwk: prover.jwk })).toString('base64url')
    expect(await reason(guard, { token, proof: `${none}.${claims}.` })).toBe('proof_malformed')
    expect(await reason(guard, { token, proof: `${none}.${claims}.${signature}` })).toBe('proof_key_unusable')
    expect(await reason(guard, { token, proof: `${header}.${claims}.${signature}, ${await prove(token)}` })).toBe('proof_malformed')
    expect(await reason(guard, { token, proof: '' })).toBe('proof_malformed')
    expect(await reason(guard, { token })).toBe('proof_missing')
    expect(await challengeOf(guard, { token })).toEqual({
      status: 401,
      challenge: expect.stringContaining('DPoP error="invalid_dpop_proof"'),
    })
  })

  it('is believed once, also of twenty that come together', async () => {
    const guard = await aGuard()
    const token = await aBoundToken()
    const proof = await prove(token)
    const told = await Promise.all(Array.from({ length: 20 }, () => reason(guard, { token, proof })))
    expect(told.filter((one) => one === 'let through')).toHaveLength(1)
    expect(told.filter((one) => one === 'proof_replayed')).toHaveLength(19)
  })

  it('is not believed again as long as its time holds, and by its time afterwards', async () => {
    const guard = await aGuard()
    const token = await aBoundToken()
    const proof = await prove(token, { claims: { iat: seconds() + 30 } })
    expect(await reason(guard, { token, proof })).toBe('let through')
    await later(149_000)
    expect(await reason(guard, { token, proof })).toBe('proof_replayed')
    nowMs += 1000
    expect(await reason(guard, { token, proof })).toBe('proof_not_of_now')
  })

  it.each([
    { after: 150, back: 30 },
    { after: 180, back: 31 },
    { after: 180, back: 600 },
  ])('is not believed again by a clock that goes back by $back s, $after s after it was used', async ({ after, back }) => {
    const guard = await aGuard()
    const token = await aBoundToken({ iat: seconds() - 600 })
    const proof = await prove(token, { claims: { iat: seconds() + 30 } })
    expect(await reason(guard, { token, proof })).toBe('let through')
    await later(after * 1000)
    expect(await reason(guard, { token, proof: await prove(token) })).toBe('let through')
    nowMs -= back * 1000
    expect(await reason(guard, { token, proof })).not.toBe('let through')
    await eventually(() => guard.isReady())
    for (const passing of [0, 60, 60, 60, 60, 60, 60, 60, 60, 60]) {
      await later(passing * 1000)
      expect(await reason(guard, { token, proof })).toMatch(/^proof_(replayed|not_of_now)$/)
    }
    expect(await reason(guard, { token, proof: await prove(token) })).toBe('let through')
  })

  it('is used up only by what is let through: not by a token that is dead', async () => {
    const guard = await aGuard()
    const [dead, alive] = [await aBoundToken({ exp: seconds() }), await aBoundToken()]
    const jti = 'one'
    expect(await reason(guard, { token: dead, proof: await prove(dead, { claims: { jti } }) })).toBe('token_expired')
    expect(await reason(guard, { token: alive, proof: await prove(alive, { claims: { jti } }) })).toBe('let through')
  })

  it('is refused with 503 where no more can be remembered, until time makes room', async () => {
    const guard = await aGuard({ dpop: { maxProofs: 2 } })
    const token = await aBoundToken()
    for (const told of ['let through', 'let through', 'proofs_exhausted'])
      expect(await reason(guard, { token, proof: await prove(token) })).toBe(told)
    expect(await challengeOf(guard, { token, proof: await prove(token) })).toEqual({ status: 503, challenge: undefined })
    expect(await reason(guard, { token: await issuer.signToken(), scheme: 'Bearer' })).toBe('let through')
    await later(180_000)
    const another = await aBoundToken()
    expect(await reason(guard, { token: another, proof: await prove(another) })).toBe('let through')
  })

  it.each([
    { publicUrl: undefined, path: '/mcp?session=1', names: 'https://mcp.example/mcp' },
    { publicUrl: undefined, path: '/other', names: 'https://mcp.example/other' },
    { publicUrl: 'https://api.example/documents/', path: '/mcp', names: 'https://api.example/documents/mcp' },
    { publicUrl: 'https://api.example:8443', path: '/mcp', names: 'https://API.example:8443/mcp' },
  ])('names the address by which the world reaches $path at $publicUrl', async ({ publicUrl, path, names }) => {
    const guard = await aGuard(publicUrl === undefined ? {} : { dpop: { publicUrl } })
    const token = await aBoundToken()
    const proofOf = (htu: string) => prove(token, { claims: { htu } })
    expect(await reason(guard, { token, path, proof: await proofOf(names) })).toBe('let through')
    expect(await reason(guard, { token, path, proof: await proofOf('https://127.0.0.1/mcp') })).toBe('proof_of_other_request')
  })

  it('is refused where the request line holds a whole address: what a proxy was asked for is not what we are', async () => {
    const token = await aBoundToken()
    expect(await reason(await aGuard(), { token, path: url, proof: await prove(token) })).toBe('proof_of_other_request')
  })
})

describe('a guard that takes bound tokens alone', () => {
  it('refuses bearer tokens, asks for DPoP, and says so in its metadata (RFC 9728 §2)', async () => {
    const guard = await aGuard({ dpop: { required: true } })
    const token = await issuer.signToken()
    expect(await reason(guard, { token, scheme: 'Bearer' })).toBe('bound_token_required')
    const verdict = await guard.check(undefined)
    expect(verdict.ok ? '' : verdict.error.headers['WWW-Authenticate']).toMatch(
      /^DPoP scope="documents:read", algs="ES256 .*", resource_metadata=/,
    )
    expect(guard.metadata).toMatchObject({ dpop_bound_access_tokens_required: true })
    const bound = await aBoundToken()
    expect(await reason(guard, { token: bound, proof: await prove(bound) })).toBe('let through')
  })

  it('is not the default: the metadata name the algorithms, and bearer tokens are let through', async () => {
    const { metadata } = await aGuard()
    expect(metadata).toMatchObject({ dpop_signing_alg_values_supported: ['ES256', 'EdDSA', 'Ed25519', 'RS256', 'PS256'] })
    expect(metadata).not.toHaveProperty('dpop_bound_access_tokens_required')
  })
})

it('a guard that asks the issuer believes a bound token only if the issuer says that it is bound to the same key', async () => {
  const guard = await aGuard({ onDeaf: 'introspect' })
  nowMs += 61_000
  const token = await aBoundToken()
  issuer.confirmation = { jkt: prover.thumbprint }
  expect(await reason(guard, { token, proof: await prove(token) })).toBe('let through')
  for (const confirmation of [undefined, { jkt: 'A'.repeat(43) }, { other: 1 }]) {
    issuer.confirmation = confirmation
    expect(await reason(guard, { token, proof: await prove(token) })).toBe('token_inactive')
  }
})

it.each(['ftp://mcp.example', 'mcp.example', 'https://mcp.example/?a', 'https://user@mcp.example'])(
  'a public address that no proof can name stops the start: %s',
  (publicUrl) => {
    const options = {
      resource,
      issuers: [{ issuer: issuerUrl, credential: { id: 'i', secret: 's' } }],
      toolScopes: {},
      onDeaf: 'refuse' as const,
    }
    expect(() => createGuard({ ...options, dpop: { publicUrl } })).toThrow(/^guard: dpop.publicUrl/)
    expect(() => createGuard({ ...options, dpop: { maxProofs: 0 } })).toThrow(/^guard: dpop.maxProofs/)
  },
)
