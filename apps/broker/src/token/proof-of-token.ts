/**
 * Whether whoever presents an access token to this issuer holds the key that it is bound to, if it is bound to one.
 *
 * @spec RFC 9449 §7.1, §7.2
 */
import type { JsonRefusal } from '@drawbridge/core/oauth/error'
import type { TokenScheme } from '@drawbridge/core/oauth/userinfo'
import { err, ok, type Result } from '@drawbridge/core/result'
import type { Secret } from '@drawbridge/core/secret'
import type { ReadProof } from '@drawbridge/crypto/dpop-proof'
import { believeProofOnce } from '@drawbridge/store/replays'
import { onHotPath } from '@drawbridge/store/transaction'
import { readProof, verifyProof } from '../clients/dpop.js'
import type { BrokerDeps } from '../deps.js'
import type { HttpRequest } from '../http/endpoint.js'
import type { ResolvedTenant } from '../http/tenant.js'

export type Presented = { readonly scheme: TokenScheme; readonly token: Secret }
export type ProofOfToken = { readonly proof: ReadProof; readonly boundTo: string }

/** No key has it: a token that is bound to something that we cannot read is good for nobody. */
const noThumbprint = ''

function boundKeyOf({ cnf }: Readonly<Record<string, unknown>>): string | undefined {
  if (cnf === undefined) return undefined
  const jkt = typeof cnf === 'object' && cnf !== null && 'jkt' in cnf ? cnf.jkt : undefined
  return typeof jkt === 'string' ? jkt : noThumbprint
}

/**
 * The proof that must come with this token, judged by all that it says; `undefined` for a bearer token, which needs none. A bound token is no bearer
 * token, and an unbound one no other: whoever presents it so believes that it is worth nothing to a thief.
 */
export function readProofOfToken(
  deps: BrokerDeps,
  http: HttpRequest<unknown, unknown>,
  tenant: ResolvedTenant,
  { scheme, token, claims }: Presented & { readonly claims: Readonly<Record<string, unknown>> },
): Result<ProofOfToken | undefined, JsonRefusal> {
  const boundTo = boundKeyOf(claims)
  if (boundTo === undefined) return scheme === 'Bearer' ? ok(undefined) : err({ reason: 'userinfo_token_unbound' })
  if (scheme === 'Bearer') return err({ reason: 'userinfo_token_bound' })
  const proof = readProof(deps, http, tenant, { endpoint: 'userinfo', token })
  if (!proof.ok) return proof
  return proof.value === undefined ? err({ reason: 'userinfo_proof_missing' }) : ok({ proof: proof.value, boundTo })
}

/** Says what is wrong with the key or the signature, or that the proof was seen before. If nothing is, it is used up: call it last. */
export async function findUnproven(
  deps: BrokerDeps,
  { id, issuer }: ResolvedTenant,
  of: ProofOfToken | undefined,
): Promise<JsonRefusal | undefined> {
  if (of === undefined) return undefined
  const key = verifyProof(of.proof)
  if (!key.ok) return key.error
  if (key.value?.thumbprint !== of.boundTo) return { reason: 'userinfo_token_of_other_key' }
  const isFirst = await believeProofOnce(onHotPath(deps.database), id, issuer.id, key.value)
  return isFirst ? undefined : { reason: 'dpop_proof_replayed' }
}
