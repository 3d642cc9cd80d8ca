/** Rewrites an ID token that oidc-provider issued: to the simulator's clock, and broken as an armed fault card says. */
import { decodeJwt, SignJWT } from 'jose'
import { clockSkewSeconds, type FaultId, shortSessionSeconds } from '../faults.js'
import { type CompanyKeys, privateKey } from '../keys.js'

const hourSeconds = 3600

export type Rewrite = {
  readonly keys: CompanyKeys
  readonly faults: ReadonlySet<FaultId>
  /** How long ago she signed in at the provider. */
  readonly sessionAgeSeconds: number
  /** Simulator's clock minus the machine's. */
  readonly offsetSeconds: number
  /** The ID token of the previous login, for the replay card. */
  readonly previous: string | undefined
}

/** The token as it is when nothing has to change. */
export async function rewriteIdToken(idToken: string, rewrite: Rewrite): Promise<string> {
  const { faults } = rewrite
  if (faults.has('replay') && rewrite.previous !== undefined) return rewrite.previous
  if (faults.size === 0 && rewrite.offsetSeconds === 0) return idToken
  const claims = brokenClaims(signedInEarlier(movedClaims(decodeJwt(idToken), rewrite), rewrite), faults)
  if (faults.has('unsigned')) return `${encode({ alg: 'none', typ: 'JWT' })}.${encode(claims)}.`
  const pair = faults.has('expired-certificate') ? rewrite.keys.expired : rewrite.keys.current
  const signed = await new SignJWT(claims).setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: pair.keyId }).sign(privateKey(pair))
  return faults.has('signature-wrapping') ? forge(signed, claims) : signed
}

/** The same logout token at the time of the simulator's clock. */
export const moveLogoutToken = (token: string, { keys, offsetSeconds }: Pick<Rewrite, 'keys' | 'offsetSeconds'>): Promise<string> =>
  new SignJWT(movedClaims(decodeJwt(token), { faults: new Set(), offsetSeconds }))
    .setProtectedHeader({ alg: 'RS256', typ: 'logout+jwt', kid: keys.current.keyId })
    .sign(privateKey(keys.current))

function movedClaims(claims: Record<string, unknown>, rewrite: Pick<Rewrite, 'faults' | 'offsetSeconds'>): Record<string, unknown> {
  const slowSeconds = rewrite.faults.has('clock-skew') ? clockSkewSeconds + hourSeconds : 0
  const seconds = Math.round(rewrite.offsetSeconds) - slowSeconds
  const times = ['iat', 'exp', 'auth_time'].filter((name) => typeof claims[name] === 'number')
  return { ...claims, ...Object.fromEntries(times.map((name) => [name, (claims[name] as number) + seconds])) }
}

function signedInEarlier(claims: Record<string, unknown>, { sessionAgeSeconds }: Rewrite): Record<string, unknown> {
  const at = typeof claims['auth_time'] === 'number' ? claims['auth_time'] : Number(claims['iat'])
  return sessionAgeSeconds === 0 ? claims : { ...claims, auth_time: at - sessionAgeSeconds }
}

function brokenClaims(claims: Record<string, unknown>, faults: ReadonlySet<FaultId>): Record<string, unknown> {
  const broken = { ...claims }
  if (faults.has('wrong-audience')) broken['aud'] = 'another-client'
  if (faults.has('short-session')) broken['session_expiry'] = Number(broken['iat']) + shortSessionSeconds
  if (faults.has('missing-groups') || faults.has('groups-overage')) delete broken['groups']
  if (faults.has('groups-overage')) {
    broken['_claim_names'] = { groups: 'src1' }
    broken['_claim_sources'] = {
      src1: { endpoint: 'https://graph.windows.net/00000000-0000-0000-0000-000000000000/users/me/getMemberObjects' },
    }
  }
  return broken
}

/** Header and signature of the true token around another subject. */
function forge(signed: string, claims: Record<string, unknown>): string {
  const [header, , signature] = signed.split('.')
  return `${header}.${encode({ ...claims, sub: `${String(claims['sub'])}-forged`, groups: ['administrators'] })}.${signature}`
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
