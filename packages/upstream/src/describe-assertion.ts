/** What a believed answer says, for the admin whose own login it is: names and values, and nothing that could be used again. */
import type { LoginAssertion } from '@drawbridge/core/identity/identity-assertion'
import { clip, clipped, type OutlinedClaim, outlineClaims, timeText } from './answer-outline.js'
import { claimsToShow } from './oidc/outline-id-token.js'

export type DescribedAssertion = {
  readonly kind: 'saml' | 'oidc'
  readonly issuer: string
  readonly subject: { readonly value: string; readonly format: string | undefined }
  readonly claims: readonly OutlinedClaim[]
  readonly acr: string | undefined
  readonly amr: readonly string[]
  readonly authenticatedAt: string | undefined
  readonly issuedAt: string | undefined
  readonly sessionEndsAt: string | undefined
}

/** Message ids, session handles and nonces are left out: a logout could name them. */
export function describeAssertion(assertion: LoginAssertion): DescribedAssertion {
  const common = { kind: assertion.kind, issuer: clip(assertion.issuer), issuedAt: timeText(assertion.issuedAt) } as const
  if (assertion.kind === 'saml')
    return {
      ...common,
      subject: { value: clip(assertion.nameId?.value ?? ''), format: clipped(assertion.nameId?.format) },
      claims: outlineClaims(assertion.attributes, 'values'),
      acr: clipped(assertion.authnContextClassRef),
      amr: [],
      authenticatedAt: timeText(assertion.authnInstant),
      sessionEndsAt: timeText(assertion.sessionNotOnOrAfter),
    }
  return {
    ...common,
    subject: { value: clip(assertion.sub), format: undefined },
    claims: outlineClaims(claimsToShow(assertion.claims), 'values'),
    acr: clipped(assertion.acr),
    amr: assertion.amr.map(clip),
    authenticatedAt: timeText(assertion.authTime),
    sessionEndsAt: undefined,
  }
}
