/** Our own look at the answer before the code is redeemed: whose it is first, then from whom, and only then what it says. */
import { err, ok, type Result } from '@drawbridge/core/result'
import { sha256Base64url } from '@drawbridge/crypto/hash'
import type { OidcConnection } from '../connection-configuration.js'
import type { UpstreamMessage } from '../connector.js'
import type { UpstreamRefusal } from '../error.js'
import { issuerPlaceholder, isTemplate } from './configuration.js'
import { refusalOfError } from './error-answer.js'
import type { ProviderMetadata } from './provider-metadata.js'

export type Code = { readonly code: string; readonly state: string }

/** @spec RFC 9207 §2.4 `iss` must be the issuer that was asked, and is missed where the issuer promises it */
export function readAnswer(
  { parameters }: UpstreamMessage,
  { connection, provider, upstreamId }: { connection: OidcConnection; provider: ProviderMetadata; upstreamId: string },
): Result<Code, UpstreamRefusal> {
  const state = parameters.get('state')
  if (state === undefined) return err({ reason: 'oidc_answer_malformed' })
  if (sha256Base64url(state) !== upstreamId) return err({ reason: 'oidc_state_mismatch' })
  const issuer = parameters.get('iss')
  if (issuer === undefined ? provider.promisesIssuer : !issuersOf(connection).includes(issuer))
    return err({ reason: 'oidc_issuer_mismatch', detail: { parameter: issuer === undefined ? 'missing' : 'iss' } })
  const error = parameters.get('error')
  if (error !== undefined) return err(refusalOfError({ error, description: parameters.get('error_description') }, 'oidc_login_refused'))
  const code = parameters.get('code')
  return code === undefined ? err({ reason: 'oidc_answer_malformed' }) : ok({ code, state })
}

/** Who may answer: with a template the issuers of the listed tenants. */
export const issuersOf = ({ issuer, tenantIds = [] }: OidcConnection): readonly string[] =>
  isTemplate(issuer) ? [issuer, ...tenantIds.map((id) => issuer.replace(issuerPlaceholder, id))] : [issuer]
