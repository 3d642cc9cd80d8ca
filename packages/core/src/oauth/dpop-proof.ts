/**
 * The DPoP proof: by it the sender of a request shows that it holds a key, which what is issued to it is then bound to.
 *
 * Reading the proof and its signature is the business of `crypto/dpop-proof`; here is what it must say. It is judged by what it says first,
 * so that a proof of another request or of another hour costs no signature.
 */
import type { Brand } from '../brand.js'
import { addSeconds, fromSeconds, type Instant } from '../instant.js'
import { err, ok, type Result } from '../result.js'
import type { Client } from './client.js'
import type { DpopRules } from './dpop-rules.js'
import type { TokenErrorReason } from './token-error.js'

/** `typ` of the proof's header, to the letter. RFC 9449 §4.2 */
export const dpopProofType = 'dpop+jwt'

/** Asymmetric ones alone; both names of Ed25519 are one algorithm (RFC 9864 §2.2). @spec RFC 9449 §5.1 dpop_signing_alg_values_supported */
export const dpopAlgorithms = ['ES256', 'EdDSA', 'Ed25519', 'RS256', 'PS256'] as const
export type DpopAlgorithm = (typeof dpopAlgorithms)[number]

export const dpopLimits = {
  /** Characters of a proof. One with an RSA key of 4096 bits has some 2200. */
  proofLength: 4096,
  jtiLength: 256,
  nonceLength: 256,
  urlLength: 2048,
  /** How long ago a proof may have been made, by its sender's clock. */
  oldestSeconds: 120,
  /** How far ahead its sender's clock may be. */
  aheadSeconds: 30,
} as const

/** The key's JWK thumbprint with SHA-256, in base64url. RFC 7638 §3 */
export type KeyThumbprint = Brand<string, 'KeyThumbprint'>

const thumbprintSyntax = /^[A-Za-z0-9_-]{43}$/

/** `dpop_jkt`, as a client writes it. @spec RFC 9449 §10 */
export const parseThumbprint = (text: string): KeyThumbprint | undefined =>
  thumbprintSyntax.test(text) ? (text as KeyThumbprint) : undefined

/** A key that the sender of this request has shown to hold, by a proof that nobody may use again. Only `crypto/dpop-proof` makes one. */
export type ProvenKey = Brand<
  {
    readonly thumbprint: KeyThumbprint
    /** Of the proof, to be believed once per key. */
    readonly jti: string
    /** From then on its own time refuses it. */
    readonly rememberUntil: Instant
  },
  'ProvenKey'
>

export type DpopRefusal = Extract<TokenErrorReason, `dpop_${string}`>

export type ExpectedOfProof = {
  readonly method: string
  /** As the world addresses this endpoint: never what a Host header says. */
  readonly url: string
  /** The same endpoint at the address that asks for certificates. RFC 8705 §5 */
  readonly alias?: string | undefined
  readonly now: Instant
  /** Of the access token that came with it: SHA-256, in base64url. `undefined`: none is used here, as at the token endpoint. */
  readonly tokenHash?: string
}

/** What a proof says of itself that outlives its judgement. */
export type ProofClaims = { readonly jti: string; readonly rememberUntil: Instant; readonly nonce: string | undefined }

/**
 * Says whether a proof is of this request and of now. Whether it was seen before, and whether its nonce is ours, is asked elsewhere.
 *
 * @spec RFC 9449 §4.2 jti, htm, htu, iat, ath · §4.3 checks 3, 8, 9, 11 and 12
 */
export function judgeProof(claims: ReadonlyMap<string, unknown>, expected: ExpectedOfProof): Result<ProofClaims, DpopRefusal> {
  const [jti, htm, htu, iat, nonce] = ['jti', 'htm', 'htu', 'iat', 'nonce'].map((name) => claims.get(name))
  if (!isText(jti, dpopLimits.jtiLength) || !isText(htu, dpopLimits.urlLength) || typeof htm !== 'string')
    return err('dpop_proof_malformed')
  if (typeof iat !== 'number' || !Number.isFinite(iat)) return err('dpop_proof_malformed')
  if (nonce !== undefined && !isText(nonce, dpopLimits.nonceLength)) return err('dpop_proof_malformed')
  if (htm !== expected.method || !isOneOf(targetOf(htu), [expected.url, expected.alias])) return err('dpop_proof_of_other_request')
  const madeAt = fromSeconds(iat)
  if (madeAt > addSeconds(expected.now, dpopLimits.aheadSeconds)) return err('dpop_proof_not_of_now')
  const rememberUntil = addSeconds(madeAt, dpopLimits.oldestSeconds)
  if (expected.now >= rememberUntil) return err('dpop_proof_not_of_now')
  if (expected.tokenHash !== undefined && claims.get('ath') !== expected.tokenHash) return err('dpop_proof_of_other_token')
  return ok({ jti, rememberUntil, nonce })
}

const isOneOf = (target: string | undefined, urls: readonly (string | undefined)[]): boolean =>
  target !== undefined && urls.some((url) => url !== undefined && targetOf(url) === target)

const isText = (value: unknown, longest: number): value is string => typeof value === 'string' && value !== '' && value.length <= longest

/** No userinfo, no backslash, no control: nothing that a URL parser would mend. */
const webAddress = /^https?:\/\/[A-Za-z0-9.:_[\]-]+(?:[/?#][\x21-\x5b\x5d-\x7e]*)?$/i

/**
 * Where a URL leads, without query and fragment: the same text for all spellings that RFC 3986 calls equivalent (§6.2.2.1 case of scheme and
 * host, §6.2.2.3 dot segments, §6.2.3 port of the scheme). Another port, another case of the path and another slash at its end are another
 * target. `undefined`: it is no address of the web.
 *
 * @spec RFC 9449 §4.3 check 9
 */
export function targetOf(url: string): string | undefined {
  if (!webAddress.test(url) || !URL.canParse(url)) return undefined
  const { origin, pathname } = new URL(url)
  return `${origin}${pathname}`
}

/** Whether a client gets no token without a proof: by its own word, or by its tenant's. @spec RFC 9449 §5.2 */
export const isProofDemanded = (client: Pick<Client, 'dpopBoundAccessTokens'>, { boundTokensDemanded }: DpopRules): boolean =>
  boundTokensDemanded || client.dpopBoundAccessTokens === true

/**
 * Whether the refresh tokens of a client are bound to the key, too. Those of a client that proves itself at every refresh are bound to that
 * proof already, and it may change its key.
 *
 * @spec RFC 9449 §5
 */
export const bindsRefreshTokens = ({ authMethod }: Pick<Client, 'authMethod'>): boolean => authMethod === 'none'
