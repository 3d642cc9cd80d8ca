/**
 * The one place where an assertion that a client brings is believed: its kind, its claims, and its signature by a key of the issuer whom the
 * tenant trusts. It is never an ID token, a logout token or an event: those of the same keys have another `typ`, another audience, or claims
 * that are forbidden here.
 *
 * What the text shows to be wrong is refused before the network is touched. Whom it names, for which client and for what, is for the caller to
 * judge, after the signature.
 *
 * @spec RFC 7523 §3 iss, sub, aud, exp, nbf, iat, jti
 * @spec draft-ietf-oauth-identity-assertion-authz-grant: typ oauth-id-jag+jwt, one audience, aud_tenant, client_id, resource, scope
 * @spec RFC 8725 §3.11 kept apart from everything else that the same keys sign
 */
import type { AssertionGrantToken } from '@drawbridge/core/identity/identity-assertion'
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { longestAssertionGrant } from '@drawbridge/core/oauth/jwt-bearer'
import { divideScopes, parseScope } from '@drawbridge/core/oauth/scope'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { ConnectionId, Scope } from '@drawbridge/core/tenant/ids'
import { type ForeignKey, type ReadJwt, readForeignJwt } from '@drawbridge/crypto/foreign-jwt'
import { thumbprint } from '@drawbridge/crypto/signing-keys'
import type { FetchSafely } from '@drawbridge/runtime/fetch-safely'
import { instantOf } from '../oidc/id-token-rules.js'
import { verifyByParty } from '../oidc/party-signature.js'
import type { AssertionTrust } from './trust.js'

export const assertionLimits = {
  /** How far the issuer's clock may be from ours, either way. */
  skewSeconds: 60,
  idLength: 1024,
  subjectLength: 512,
  /** SHA-256 has 43 characters. */
  thumbprintLength: 64,
} as const

export type AssertionRefusal =
  | { readonly reason: 'assertion_refused'; readonly detail: { readonly rule: string } }
  | { readonly reason: 'assertion_keys_awaited'; readonly detail: { readonly retryAfterSeconds: number } }
type Checked<T> = Result<T, AssertionRefusal>
const refuse = (rule: string): { readonly ok: false; readonly error: AssertionRefusal } =>
  err({ reason: 'assertion_refused', detail: { rule } })

/** Whose it says that it is: nothing is proven by it. The issuer, and what stands in the claim that tells its companies apart. */
export function claimedTrust<T extends { readonly trust: AssertionTrust }>(assertion: string, trusts: readonly T[]): T | undefined {
  const claims = readClaimsUnproven(assertion)
  const ofIssuer = trusts.filter(({ trust }) => trust.issuer === claims?.['iss'])
  return (
    ofIssuer.find(({ trust }) => trust.tenant !== undefined && claims?.[trust.tenantClaim] === trust.tenant) ??
    ofIssuer.find(({ trust }) => trust.tenant === undefined) ??
    ofIssuer[0]
  )
}

/** Nothing of it is proven. */
export function readClaimsUnproven(assertion: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(assertion.split('.')[1] ?? '', 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

export type ExpectedAssertion = {
  readonly assertion: string
  /** Of the trust: it is where its people are. */
  readonly connectionId: ConnectionId
  /** Our issuer, byte for byte. */
  readonly audience: string
  /** Another name of ours to issuers that know no ID-JAG: RFC 7523 §3 lets them write it. */
  readonly tokenEndpoint: string
  /** Which of the tenants it is for: an issuer that speaks for many of ours demands to be told, an issuer of one alone only lets itself be told right. */
  readonly audTenant: { readonly is: string; readonly demanded: boolean }
  readonly now: Instant
}

export async function verifyAssertion(
  fetchSafely: FetchSafely,
  trust: AssertionTrust,
  expected: ExpectedAssertion,
): Promise<Checked<AssertionGrantToken>> {
  const { assertion, now } = expected
  const jwt = assertion.length > longestAssertionGrant ? err('malformed') : readForeignJwt(assertion, trust.algorithms)
  if (!jwt.ok) return refuse(jwt.error)
  const said = readClaims(jwt.value, trust, expected)
  if (!said.ok) return said
  const signed = await verifySignature(fetchSafely, trust, jwt.value, now)
  return signed.ok ? ok({ ...said.value, signedBy: thumbprint(signed.value.publicKey.export({ format: 'jwk' })) }) : signed
}

type Said = Omit<AssertionGrantToken, 'signedBy'>

/** Everything that the text alone can show. */
function readClaims({ typ, claims }: ReadJwt, trust: AssertionTrust, expected: ExpectedAssertion): Checked<Said> {
  const { connectionId, now } = expected
  const fault = findFault(typ, claims, trust, audiencesOf(trust, expected)) ?? findFaultOfTenant(claims, expected)
  if (fault !== undefined) return refuse(fault)
  const times = readTimes(claims, trust, now)
  if (!times.ok) return times
  const access = readAccess(claims, trust)
  if (!access.ok) return access
  const bound = readConfirmation(claims)
  if (!bound.ok) return bound
  const { acr, amr } = readContext(claims)
  return ok({
    kind: 'assertion',
    connectionId,
    issuer: trust.issuer,
    sub: claims.get('sub') as string,
    jti: claims.get('jti') as string,
    claims,
    acr,
    amr,
    sid: undefined,
    boundTo: bound.value,
    ...times.value,
    ...access.value,
  })
}

/** An ID-JAG is for our issuer alone. @spec RFC 7523 §3 (3) */
const audiencesOf = ({ profile }: AssertionTrust, { audience, tokenEndpoint }: ExpectedAssertion): readonly string[] =>
  profile === 'id-jag' ? [audience] : [audience, tokenEndpoint]

/** In the order of the specification; the first that is wrong is named. */
function findFault(
  typ: string | undefined,
  claims: ReadJwt['claims'],
  trust: AssertionTrust,
  audiences: readonly string[],
): string | undefined {
  if (!isOfKind(typ, trust)) return 'typ'
  if (claims.get('iss') !== trust.issuer) return 'iss'
  // One audience and no other: an assertion for several could be carried from one of them to the next.
  const said: unknown = claims.get('aud')
  const [only, second] = Array.isArray(said) ? (said as readonly unknown[]) : [said]
  if (typeof only !== 'string' || !audiences.includes(only) || second !== undefined) return 'aud'
  if (!isText(claims.get('sub'), assertionLimits.subjectLength)) return 'sub'
  if (!isText(claims.get('jti'), assertionLimits.idLength)) return 'jti'
  if (claims.has('events') || claims.has('nonce')) return 'kind'
  // What would bind, narrow or delegate in a way that we do not carry out must not be dropped in silence.
  const unheeded = ['act', 'may_act', 'authorization_details'].find((name) => claims.has(name))
  if (unheeded !== undefined) return unheeded
  return isOfTenant(claims, trust) ? undefined : 'tenant'
}

/**
 * For which of our tenants it was made. The trust of another one in the same issuer must be worth nothing to it, so where several are behind one
 * audience it is demanded, and it is signed: what the request says of the tenant proves nothing.
 *
 * @spec draft-ietf-oauth-identity-assertion-authz-grant: aud_tenant
 */
const findFaultOfTenant = (claims: ReadJwt['claims'], { audTenant }: ExpectedAssertion): string | undefined =>
  claims.has('aud_tenant') || audTenant.demanded ? (claims.get('aud_tenant') === audTenant.is ? undefined : 'aud_tenant') : undefined

/** RFC 7523 names no type; what has one is of another kind. */
const isOfKind = (typ: string | undefined, { profile }: AssertionTrust): boolean =>
  profile === 'id-jag' ? typ === 'oauth-id-jag+jwt' : typ === undefined || typ === 'jwt'

const isOfTenant = (claims: ReadJwt['claims'], { tenant, tenantClaim }: AssertionTrust): boolean =>
  claims.get(tenantClaim) === tenant && (tenantClaim === 'tenant' || !claims.has('tenant'))

const isText = (value: unknown, longest: number): value is string => typeof value === 'string' && value !== '' && value.length <= longest

type Times = Pick<AssertionGrantToken, 'issuedAt' | 'expiresAt' | 'authTime' | 'replayableUntil'>

function readTimes(claims: ReadJwt['claims'], { mostLifeSeconds }: AssertionTrust, now: Instant): Checked<Times> {
  const { skewSeconds } = assertionLimits
  const latest = addSeconds(now, skewSeconds)
  const [iat, exp, nbf, authTime] = ['iat', 'exp', 'nbf', 'auth_time'].map((name) => instantOf(claims.get(name)))
  if (iat === undefined || iat > latest) return refuse('iat')
  if (exp === undefined || now >= addSeconds(exp, skewSeconds)) return refuse('exp')
  if (exp > addSeconds(iat, mostLifeSeconds)) return refuse('life')
  if (claims.has('nbf') && (nbf === undefined || nbf > latest)) return refuse('nbf')
  // One ahead of us would be newer than any barrier to come.
  if (claims.has('auth_time') && (authTime === undefined || authTime > latest)) return refuse('auth_time')
  return ok({ issuedAt: iat, expiresAt: exp, authTime, replayableUntil: addSeconds(exp, skewSeconds + 1) })
}

type Access = Pick<AssertionGrantToken, 'clientId' | 'resource' | 'scopes'>

function readAccess(claims: ReadJwt['claims'], { profile }: AssertionTrust): Checked<Access> {
  const clientId = claims.get('client_id')
  if (clientId === undefined ? profile === 'id-jag' : !isText(clientId, 2048)) return refuse('client_id')
  const named: unknown = claims.get('resource')
  const [resource, second] = Array.isArray(named) ? (named as readonly unknown[]) : [named]
  if (claims.has('resource') && (!isText(resource, 2048) || second !== undefined)) return refuse('resource')
  const scopes = readScopes(claims.get('scope'))
  if (scopes === 'malformed') return refuse('scope')
  return ok({ clientId: clientId as string | undefined, resource: resource as string | undefined, scopes })
}

/** None of the resource's is none, and not the same as nothing said. */
function readScopes(scope: unknown): readonly Scope[] | undefined | 'malformed' {
  if (scope === undefined) return undefined
  if (typeof scope !== 'string') return 'malformed'
  const parsed = parseScope(scope)
  return parsed.ok ? (divideScopes(parsed.value).ofResource ?? []) : 'malformed'
}

/** The key whose proof must come along. A binding of another kind, or one beside it, is none that we could keep. RFC 7800 §3, RFC 9449 §6.1 */
function readConfirmation(claims: ReadJwt['claims']): Checked<string | undefined> {
  if (!claims.has('cnf')) return ok(undefined)
  const cnf: unknown = claims.get('cnf')
  if (typeof cnf !== 'object' || cnf === null || Object.keys(cnf).join() !== 'jkt') return refuse('cnf')
  const { jkt } = cnf as { readonly jkt: unknown }
  return isText(jkt, assertionLimits.thumbprintLength) ? ok(jkt) : refuse('cnf')
}

/** How she signed in there. What is not said so that it can be read is unknown, which proves nothing. OIDC Core §2 */
function readContext(claims: ReadJwt['claims']): Pick<AssertionGrantToken, 'acr' | 'amr'> {
  const [acr, amr] = [claims.get('acr'), claims.get('amr')]
  const methods: readonly unknown[] = Array.isArray(amr) ? amr : []
  return {
    acr: typeof acr === 'string' && acr !== '' ? acr : undefined,
    amr: methods.filter((method) => typeof method === 'string'),
  }
}

async function verifySignature(fetchSafely: FetchSafely, trust: AssertionTrust, jwt: ReadJwt, now: Instant): Promise<Checked<ForeignKey>> {
  const signed = await verifyByParty(fetchSafely, trust, jwt, now)
  if (signed.ok) return signed
  return typeof signed.error === 'string' ? refuse(signed.error) : err({ reason: 'assertion_keys_awaited', detail: signed.error })
}
