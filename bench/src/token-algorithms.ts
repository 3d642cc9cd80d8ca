/** `node bench/dist/token-algorithms.js`: CPU of one process for signing and verifying an access token, by each algorithm that a tenant may choose. */
import { loadavg } from 'node:os'
import { fromSeconds } from '@drawbridge/core/instant'
import { type TokenAlgorithm, tokenAlgorithms } from '@drawbridge/core/oauth/token-algorithm'
import { signJwt, verifyJwt } from '@drawbridge/crypto/jwt'
import { systemRandom } from '@drawbridge/crypto/random'
import { generateTokenKey, toSigningKey, toVerificationKey } from '@drawbridge/crypto/signing-keys'
import { printTable } from './table.js'

const rounds = 5
const callsOf = (algorithm: TokenAlgorithm): number => (algorithm.startsWith('E') ? 4000 : 400)
const typ = 'at+jwt'
const now = 1_900_000_000
const claims = {
  ...{
    iss: 'https://login.example/t/acme',
    aud: 'https://api.example/mcp',
    tenant: 'acme',
    epochs: '1.1.1.1.1',
    acr: 'mfa',
    amr: ['pwd', 'otp'],
  },
  ...{
    iat: now,
    exp: now + 900,
    auth_time: now,
    scope: 'documents:read documents:write',
    client_id: 'https://client.example/metadata.json',
  },
  ...{
    sub: '0f0e7d0a-0000-4000-8000-000000000000',
    gid: '0f0e7d0a-0000-4000-8000-000000000001',
    jti: '0f0e7d0a-0000-4000-8000-000000000002',
  },
}

/** Median of some rounds, after one to warm up: microseconds of CPU for one call. */
function microseconds(run: () => void, calls: number): string {
  const found = Array.from({ length: rounds + 1 }, () => {
    const before = process.cpuUsage()
    for (let call = 0; call < calls; call += 1) run()
    const { user, system } = process.cpuUsage(before)
    return (user + system) / calls
  }).slice(1)
  return (found.toSorted((a, b) => a - b)[Math.floor(rounds / 2)] ?? 0).toFixed(0)
}

const rows: (readonly string[])[] = []
for (const algorithm of tokenAlgorithms) {
  const made = await generateTokenKey(systemRandom(), 'tokens', algorithm)
  const key = toSigningKey(made, made.privateKey)
  const keys = [toVerificationKey(made.publicJwk)]
  const token = signJwt(key, { typ }, claims)
  const expected = { typ, issuer: claims.iss, audience: claims.aud, now: fromSeconds(now), skewSeconds: 0 }
  const verify = () => {
    if (!verifyJwt(token, keys, expected).ok) throw new Error(`${algorithm}: our own token was refused`)
  }
  const sign = microseconds(() => void signJwt(key, { typ }, claims), callsOf(algorithm))
  rows.push([algorithm, sign, microseconds(verify, callsOf(algorithm)), String(token.length)])
}
const load = loadavg()[0]?.toFixed(1)
printTable(`A token by algorithm, load average ${load}: CPU in microseconds`, ['algorithm', 'sign', 'verify', 'characters'], rows)
