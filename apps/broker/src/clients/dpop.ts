/**
 * The DPoP header of a client's request: from what was sent to a key that was proved, or a refusal. A request without one pays for nothing here.
 *
 * Whether the proof was used before is not asked here: the statement that acts on it believes it, so that nothing is used up by what fails.
 *
 * @spec RFC 9449 §5, §7, §8, §9, §10.1
 */
import type { Client } from '@drawbridge/core/oauth/client'
import { isProofDemanded, type ProvenKey } from '@drawbridge/core/oauth/dpop-proof'
import type { JsonRefusal } from '@drawbridge/core/oauth/error'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { Secret } from '@drawbridge/core/secret'
import { dpopNonceAt, isDpopNonce, type NonceIssuer } from '@drawbridge/crypto/dpop-nonce'
import { type ReadProof, readDpopProof } from '@drawbridge/crypto/dpop-proof'
import { sha256Base64url } from '@drawbridge/crypto/hash'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from '../http/answer.js'
import type { HttpRequest } from '../http/endpoint.js'
import type { ResolvedTenant } from '../http/tenant.js'
import { mtlsIssuerOf } from './client-certificate.js'

/** A nonce of the front is good there whichever tenant turns out to be meant. */
const issuerOf = ({ signer }: ResolvedTenant): NonceIssuer => ({ tenant: signer.tenantId, issuer: signer.id })

/** Where a proof came to, and with which access token: its hash must then be in the proof. @spec RFC 9449 §4.3 check 12 */
export type ProofDoor = { readonly endpoint: 'token' | 'par' } | { readonly endpoint: 'userinfo'; readonly token: Secret }

/**
 * The proof that came with a request to one of the endpoints of this issuer, judged by all that it says; `undefined` if none came.
 *
 * Two headers arrive as one with a comma in it, which no proof has. The address that the proof must name is the issuer's own, whatever the Host
 * header says. A nonce that is sent is judged even where none is demanded: whoever sends one has been told one.
 *
 * @spec RFC 9449 §4.3 one header, its checks in order of their cost
 */
export function readProof(
  deps: BrokerDeps,
  { headers, method }: Pick<HttpRequest, 'headers' | 'method'>,
  tenant: ResolvedTenant,
  door: ProofDoor,
): Result<ReadProof | undefined, JsonRefusal> {
  const header = headers['dpop']
  if (header === undefined) return ok(undefined)
  const now = deps.clock.now()
  const tokenHash = door.endpoint === 'userinfo' ? { tokenHash: sha256Base64url(door.token.reveal()) } : {}
  const mtlsIssuer = mtlsIssuerOf(deps.settings, tenant)
  const alias = mtlsIssuer === undefined || door.endpoint === 'userinfo' ? undefined : `${mtlsIssuer}/${door.endpoint}`
  const read = readDpopProof(header, { method, url: `${tenant.issuer.url}/${door.endpoint}`, alias, now, ...tokenHash })
  if (!read.ok) return err({ reason: read.error })
  const { nonce } = read.value
  const isNonceGood = nonce === undefined ? !tenant.dpop.nonceDemanded : isDpopNonce(deps.sealer, issuerOf(tenant), nonce, now)
  return isNonceGood ? read : err({ reason: 'dpop_nonce_missing' })
}

/** The key that its sender holds: the one step that costs a signature, for a client that is known and below its limit. */
export function verifyProof(proof: ReadProof | undefined): Result<ProvenKey | undefined, JsonRefusal> {
  if (proof === undefined) return ok(undefined)
  const key = proof.verify()
  return key.ok ? key : err({ reason: key.error })
}

/** Refuses a client that gets nothing without a key, by the rules of the tenant as it is given. */
export const findMissingProof = (
  { client, provenKey }: { readonly client: Client; readonly provenKey: ProvenKey | undefined },
  { dpop }: ResolvedTenant,
): JsonRefusal | undefined => (provenKey === undefined && isProofDemanded(client, dpop) ? { reason: 'dpop_proof_missing' } : undefined)

/**
 * Tells whoever works with proofs the nonce for the next one: where one is demanded, and where a wrong one was sent.
 *
 * @spec RFC 9449 §8, §8.2 a new nonce with any answer
 */
export function withNonce(deps: BrokerDeps, { headers }: Pick<HttpRequest, 'headers'>, tenant: ResolvedTenant, answer: Answer): Answer {
  const isTold = answer.refusal?.reason === 'dpop_nonce_missing' || (tenant.dpop.nonceDemanded && headers['dpop'] !== undefined)
  if (!isTold) return answer
  return { ...answer, headers: { ...answer.headers, 'dpop-nonce': dpopNonceAt(deps.sealer, issuerOf(tenant), deps.clock.now()) } }
}
