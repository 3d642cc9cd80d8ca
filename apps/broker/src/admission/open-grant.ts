/** Opens the grant of an allowed login, with its code and audit row, in one statement. */

import { reachedValue } from '@drawbridge/core/identity/asked-authentication'
import type { AuthenticationStrength } from '@drawbridge/core/identity/authentication-strength'
import type { NormalizedIdentity } from '@drawbridge/core/identity/normalized-identity'
import type { Instant } from '@drawbridge/core/instant'
import { codePrefix, openCode } from '@drawbridge/core/oauth/authorization-code'
import type { Client } from '@drawbridge/core/oauth/client'
import type { Consent } from '@drawbridge/core/oauth/consent'
import { approvedCodeTtlSeconds, deviceRedirectUri } from '@drawbridge/core/oauth/device-code'
import { nameOfTenant } from '@drawbridge/core/oauth/front-credential'
import { codeTtlSeconds, openGrant } from '@drawbridge/core/oauth/grant'
import type { PendingRequest } from '@drawbridge/core/oauth/pending-request'
import type { ResourceServer } from '@drawbridge/core/oauth/resource'
import type { PolicyDecision } from '@drawbridge/core/policy/decision'
import { evidenceFor, strengthOf } from '@drawbridge/core/policy/strength'
import type { AuthorizationRequestId, GrantId, Scope } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import type { DecidedWrite } from '@drawbridge/store/authorization-requests'
import type { LiveBrowserSession } from '@drawbridge/store/browser-sessions'
import { type ConsentToKeep, openGrantWithCode } from '@drawbridge/store/grants'
import { onHotPath } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../deps.js'
import { frontTenantOf } from '../http/front.js'
import type { ResolvedTenant } from '../http/tenant.js'

export type Opening = {
  readonly tenant: ResolvedTenant
  /** `undefined`: answered at once, so there is no row to answer. */
  readonly authorizationRequestId: AuthorizationRequestId | undefined
  readonly client: Client
  /** As when the request was accepted: a barrier since then refuses the grant. */
  readonly clientEpoch: number
  readonly pending: PendingRequest
  readonly resource: ResourceServer
  readonly session: LiveBrowserSession
  readonly identity: NormalizedIdentity
  readonly decision: Extract<PolicyDecision, { kind: 'allow' }>
  /** What the person agreed to: never more than the decision. */
  readonly scopes: readonly Scope[]
  /** An earlier yes of hers, in place of one of now. */
  readonly reliesOn?: Consent | undefined
  readonly keepsConsent?: ConsentToKeep | undefined
  readonly requestId: string
  readonly address: string
  readonly now: Instant
}

/** `code` is worth something only if it was `written`, and is nobody's to know where a device fetches what comes of it. */
export type OpenedGrant = { readonly written: DecidedWrite; readonly code: string }

const provedStrength = (
  { strength }: ResolvedTenant['policy'],
  { authentication, connectionId }: NormalizedIdentity,
): AuthenticationStrength => strengthOf(evidenceFor('vendor', strength, authentication, connectionId))

export async function openGrantForCode(deps: BrokerDeps, opening: Opening): Promise<OpenedGrant> {
  const { tenant, client, session, decision, resource, pending, now } = opening
  const code = `${codePrefix}${nameOfTenant(frontTenantOf(tenant))}${deps.random.token()}`
  const ttlSeconds = pending.deviceCodeId === undefined ? codeTtlSeconds : approvedCodeTtlSeconds
  const grant = openGrant(
    {
      id: deps.random.uuid() as GrantId,
      tenantId: tenant.id,
      issuerId: tenant.issuer.id,
      clientId: client.id,
      resourceTenantId: resource.tenantId,
      resourceId: resource.id,
      audience: resource.identifier,
      subjectId: session.subjectId,
      connectionId: session.connectionId,
      sessionId: session.id,
      scopes: opening.scopes,
      identityScopes: pending.identityScopes,
      epochs: { ...session.epochs, client: opening.clientEpoch, grant: 1 },
      policyVersion: tenant.policyVersion,
      claimsVersion: session.claimsVersion,
      directoryVersion: session.directoryVersion,
      acr: session.acr,
      askedAcr: reachedValue(pending.acrValues, { acr: session.acr, strength: provedStrength(tenant.policy, opening.identity) }),
      amr: session.amr,
      authenticatedAt: session.authenticatedAt,
      ownFactor: opening.identity.authentication.ownFactor,
      accessTokenTtl: decision.accessTokenTtl,
      refreshTokenTtl: client.grantTypes.includes('refresh_token') ? decision.refreshTokenTtl : undefined,
      refreshEndsAt: decision.refreshEndsAt,
      endsAt: decision.endsAt,
    },
    now,
    ttlSeconds,
  )
  const written = await openGrantWithCode(onHotPath(deps.database), {
    grant,
    code: openCode(
      {
        tenantId: tenant.id,
        codeHash: hashCredential(code),
        grantId: grant.id,
        issuerId: tenant.issuer.id,
        clientId: client.id,
        codeChallenge: pending.codeChallenge,
        ...(pending.deviceCodeId === undefined
          ? { redirectUri: pending.redirectUri, nonce: pending.nonce }
          : { redirectUri: deviceRedirectUri, nonce: undefined }),
        dpopKey: pending.dpopKey,
      },
      now,
      ttlSeconds,
    ),
    decidedOn: { configurationVersion: tenant.configurationVersion, clientVersion: client.version },
    authorizationRequestId: opening.authorizationRequestId,
    deviceCodeId: pending.deviceCodeId,
    reliesOn: opening.reliesOn?.id,
    keepsConsent: opening.keepsConsent,
    detail: {
      explanation: decision.explanation,
      ceilings: grant.ceilings,
      ...(opening.reliesOn ? { consentOf: new Date(opening.reliesOn.agreedAt).toISOString() } : {}),
    },
    asked: { requestId: opening.requestId as never, address: opening.address },
  })
  return { written, code }
}
