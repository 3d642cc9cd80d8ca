/** Says whether an access token is good here and now: RFC 9068 §4 by an exact list of issuers, then the barriers. */
import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose'
import { type Barriers, parseTokenEpochs, type TokenEpochs, type TokenMaking } from './barriers.js'
import { err, type GuardRefusal, ok, type Result } from './refusal.js'
import { parseScopes } from './tool-scopes.js'
import { type TrustedIssuer, tenantSpokenFor } from './trusted-issuer.js'
import { signatureAlgorithms } from './usable-keys.js'

export type VerifiedToken = {
  readonly issuer: string
  /** Whose person or client it is. At the front issuer it can be any tenant: what is served must be that one's. */
  readonly tenant: string
  /** `sub`: the person; of a client that acts in its own name its `client_id`, at the front issuer `<tenant>.<client_id>`. No two of one issuer have the same. */
  readonly subject: string
  readonly clientId: string
  readonly scopes: readonly string[]
  readonly issuedAtSeconds: number
  readonly expiresAtSeconds: number
  readonly tokenId: string
  readonly grantId?: string
  readonly epochs: TokenEpochs
  readonly acr?: string
  /** `auth_time`: when she signed in at her identity provider, as far as it says. */
  readonly authenticatedAtSeconds?: number
  /** `act`: the clients that act for the person, the present one first, each by its `sub` as above. Absent: nobody acts for her but the client that she gave access to. */
  readonly actors?: readonly string[]
  /** `cnf.jkt`: the thumbprint of the key that it is bound to. Absent: whoever bears it may use it. */
  readonly keyThumbprint?: string
}

export type VerifyDeps = {
  readonly issuers: ReadonlyMap<string, TrustedIssuer>
  readonly resource: string
  readonly barriers: Barriers
  readonly maxTokenLifeSeconds: number
}

/** Clocks of issuer and resource server may differ by this much; expiry gets no such grace. */
export const clockSkewSeconds = 30
/** Longer than any token that Drawbridge signs. */
export const maxTokenCharacters = 8192

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)

type Claimed = { readonly issuer: string; readonly kid: string }

/** What the token says about itself before anything is proven. One that names no key is none of ours. */
function readClaimed(token: string): Claimed | undefined {
  try {
    const issuer = text(decodeJwt(token).iss)
    const kid = text(decodeProtectedHeader(token).kid)
    return issuer === undefined || kid === undefined ? undefined : { issuer, kid }
  } catch {
    return undefined
  }
}

/** What a failure of `jose` means for the message. `issuer_unreachable`: nothing; the keys could not be had. */
export function refusalOf(error: unknown): GuardRefusal {
  if (error instanceof errors.JWTExpired) return 'token_expired'
  if (error instanceof errors.JWTClaimValidationFailed) return error.claim === 'typ' ? 'token_of_wrong_type' : 'token_malformed'
  if (error instanceof errors.JWKSTimeout) return 'issuer_unreachable'
  if (error instanceof errors.JWSSignatureVerificationFailed || error instanceof errors.JWKSNoMatchingKey) return 'token_signature_wrong'
  if (error instanceof errors.JOSEAlgNotAllowed) return 'token_signature_wrong'
  if (error instanceof errors.JOSEError && error.code !== 'ERR_JOSE_GENERIC') return 'token_malformed'
  return 'issuer_unreachable'
}

type Signed = { readonly token: string; readonly kid: string }

async function verifySignature(
  issuer: TrustedIssuer,
  { token, kid }: Signed,
  nowSeconds: number,
): Promise<Result<JWTPayload, GuardRefusal>> {
  if (issuer.tokenKeys.isCondemned(kid)) return err('token_key_condemned')
  try {
    const verified = await jwtVerify(token, issuer.tokenKeys.find, {
      algorithms: signatureAlgorithms,
      typ: 'at+jwt',
      issuer: issuer.issuer,
      currentDate: new Date(nowSeconds * 1000),
      requiredClaims: ['exp', 'iat', 'sub', 'jti', 'client_id', 'tenant', 'epochs'],
    })
    // Asked again: the key may have been condemned while its set was fetched.
    return issuer.tokenKeys.isCondemned(kid) ? err('token_key_condemned') : ok(verified.payload)
  } catch (error) {
    return err(refusalOf(error))
  }
}

/** `aud` names this resource and nothing else: a token good at two servers could be replayed by one at the other. RFC 8707 §2. */
const isForUs = (audience: unknown, resource: string): boolean =>
  audience === resource || (Array.isArray(audience) && audience.length === 1 && audience[0] === resource)

const thumbprint = /^[A-Za-z0-9_-]{43}$/

/** A confirmation that we cannot ask for makes the token useless here: to believe it without would take the binding away. RFC 7800 §3.1 */
export function confirmationOf(cnf: unknown): Result<string | undefined, GuardRefusal> {
  if (cnf === undefined) return ok(undefined)
  const members = typeof cnf === 'object' && cnf !== null ? Object.entries(cnf) : []
  const [[name, value] = []] = members
  return members.length === 1 && name === 'jkt' && typeof value === 'string' && thumbprint.test(value) ? ok(value) : err('token_malformed')
}

/** More than any token of Drawbridge names. */
const mostActors = 10

/**
 * Who acts, the outermost first; what cannot be read makes the token useless here, for nobody could say in whose name it is used.
 *
 * @spec RFC 8693 §4.1
 */
function actorsOf(act: unknown): Result<readonly string[], GuardRefusal> {
  const actors: string[] = []
  for (let actor = act; actor !== undefined; actor = (actor as { act?: unknown }).act) {
    const sub = typeof actor === 'object' && actor !== null ? text((actor as { sub?: unknown }).sub) : undefined
    if (sub === undefined || actors.length === mostActors) return err('token_malformed')
    actors.push(sub)
  }
  return ok(actors)
}

/** A grant that the token's own was opened from by an exchange: what ends it, or its client, ends the token. */
type Parent = { readonly grantId: string; readonly clientId: string; readonly epochs: TokenEpochs }

function parentsOf(parents: unknown): Result<readonly Parent[], GuardRefusal> {
  if (parents === undefined) return ok([])
  if (!Array.isArray(parents) || parents.length > mostActors) return err('token_malformed')
  const read = parents.map((parent: unknown): Parent | undefined => {
    const {
      gid,
      client_id: client,
      epochs: claimed,
    } = (typeof parent === 'object' && parent !== null ? parent : {}) as Record<string, unknown>
    const [grantId, clientId, epochs] = [text(gid), text(client), parseTokenEpochs(claimed)]
    return grantId === undefined || clientId === undefined || epochs === undefined ? undefined : { grantId, clientId, epochs }
  })
  return read.every((parent) => parent !== undefined) ? ok(read) : err('token_epochs_malformed')
}

function readClaims(payload: JWTPayload, issuer: string, tenant: string): Result<VerifiedToken, GuardRefusal> {
  const epochs = parseTokenEpochs(payload['epochs'])
  if (epochs === undefined) return err('token_epochs_malformed')
  const subject = text(payload.sub)
  const clientId = text(payload['client_id'])
  const tokenId = text(payload.jti)
  const grantId = text(payload['gid'])
  const acr = text(payload['acr'])
  const authenticatedAt = payload['auth_time']
  const confirmation = confirmationOf(payload['cnf'])
  if (!confirmation.ok) return confirmation
  const keyThumbprint = confirmation.value
  const actors = actorsOf(payload['act'])
  if (!actors.ok) return actors
  if (subject === undefined || clientId === undefined || tokenId === undefined) return err('token_malformed')
  return ok({
    issuer,
    tenant,
    subject,
    clientId,
    tokenId,
    scopes: parseScopes(payload['scope']),
    issuedAtSeconds: payload.iat ?? 0,
    expiresAtSeconds: payload.exp ?? 0,
    epochs,
    ...(grantId === undefined ? {} : { grantId }),
    ...(acr === undefined ? {} : { acr }),
    ...(typeof authenticatedAt === 'number' ? { authenticatedAtSeconds: authenticatedAt } : {}),
    ...(keyThumbprint === undefined ? {} : { keyThumbprint }),
    ...(actors.value.length === 0 ? {} : { actors: actors.value }),
  })
}

/**
 * Verifies a token. The order is: shape, issuer, key, signature, type, audience, times, tenant, barriers.
 *
 * A token that would outlive `maxTokenLifeSeconds` is refused, because barriers are forgotten after that time.
 *
 * @spec RFC 9068 §4
 * @spec RFC 8693 §4.1 act
 * @spec RFC 8725 §3.1, §3.8, §3.9, §3.11
 */
export async function verifyAccessToken(deps: VerifyDeps, token: string, nowSeconds: number): Promise<Result<VerifiedToken, GuardRefusal>> {
  if (token.length > maxTokenCharacters) return err('token_malformed')
  const claimed = readClaimed(token)
  if (claimed === undefined) return err('token_malformed')
  const issuer = deps.issuers.get(claimed.issuer)
  if (issuer === undefined) return err('token_of_unknown_issuer')
  const payload = await verifySignature(issuer, { token, kid: claimed.kid }, nowSeconds)
  if (!payload.ok) return payload
  if (!isForUs(payload.value.aud, deps.resource)) return err('token_for_other_resource')
  const iat = payload.value.iat ?? 0
  if (iat > nowSeconds + clockSkewSeconds) return err('token_from_the_future')
  if ((payload.value.exp ?? 0) - iat > deps.maxTokenLifeSeconds) return err('token_lives_too_long')
  const tenant = tenantSpokenFor(issuer, payload.value['tenant'])
  if (tenant === undefined) return err('token_of_other_tenant')
  const read = readClaims(payload.value, issuer.issuer, tenant)
  if (!read.ok) return read
  const parents = parentsOf(payload.value['parents'])
  if (!parents.ok) return parents
  const making = makingOf(read.value, text(payload.value['connection']))
  const makings = [making, ...parents.value.map((parent) => makingOfParent(making, parent))]
  if (makings.some((each) => deps.barriers.isBelow(each, nowSeconds))) return err('token_below_barrier')
  standings.set(read.value, { token, kid: claimed.kid, makings })
  return read
}

/** What a token that was verified still hangs on. */
type Standing = { readonly token: string; readonly kid: string; readonly makings: readonly TokenMaking[] }
const standings = new WeakMap<VerifiedToken, Standing>()

/** The same, with what the issuer says of it now. */
export function withScopes(verified: VerifiedToken, scopes: readonly string[]): VerifiedToken {
  const narrowed = { ...verified, scopes }
  const standing = standings.get(verified)
  if (standing !== undefined) standings.set(narrowed, standing)
  return narrowed
}

/** The text of a token that was verified here; undefined: it was not. */
export const textOf = (verified: VerifiedToken): string | undefined => standings.get(verified)?.token

/** Why a token that was verified is good no longer, of what may change: its time, its key, its barriers. Undefined: it is. */
export function whyEnded(
  { issuers, barriers }: Pick<VerifyDeps, 'issuers' | 'barriers'>,
  verified: VerifiedToken,
  nowSeconds: number,
): GuardRefusal | undefined {
  const [issuer, standing] = [issuers.get(verified.issuer), standings.get(verified)]
  if (issuer === undefined || standing === undefined) return 'token_of_unknown_issuer'
  if (verified.expiresAtSeconds <= nowSeconds) return 'token_expired'
  if (issuer.tokenKeys.isCondemned(standing.kid)) return 'token_key_condemned'
  return standing.makings.some((each) => barriers.isBelow(each, nowSeconds)) ? 'token_below_barrier' : undefined
}

function makingOf(token: VerifiedToken, connection: string | undefined): TokenMaking {
  const ids = {
    tenant: token.tenant,
    client: token.clientId,
    subject: token.subject,
    ...(token.grantId === undefined ? {} : { grant: token.grantId }),
    ...(connection === undefined ? {} : { connection }),
  }
  return { issuer: token.issuer, tenant: token.tenant, issuedAtSeconds: token.issuedAtSeconds, ids, epochs: token.epochs }
}

/** Of the same tenant, connection and person, by another client. */
const makingOfParent = (making: TokenMaking, { grantId, clientId, epochs }: Parent): TokenMaking => ({
  ...making,
  ids: { ...making.ids, grant: grantId, client: clientId },
  epochs,
})
