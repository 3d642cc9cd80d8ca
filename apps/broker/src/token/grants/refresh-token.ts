/**
 * Grant type refresh_token: one statement rotates. Only when policy or claims have changed since the grant was decided does policy
 * decide again first, and the statement runs a second time with the new decision, which can only take away.
 */
import { identityFromJson } from '@drawbridge/core/identity/identity-json'
import type { Instant } from '@drawbridge/core/instant'
import { type Client, hostOfClient } from '@drawbridge/core/oauth/client'
import { readFamily } from '@drawbridge/core/oauth/refresh-token'
import type { RefreshRequest } from '@drawbridge/core/oauth/token-request'
import { decide, type PolicyInput } from '@drawbridge/core/policy/decide'
import { err, ok } from '@drawbridge/core/result'
import type { Scope } from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { deriveSuccessor } from '@drawbridge/crypto/refresh-family'
import { insertAuditEvent } from '@drawbridge/store/audit-events'
import { type Redecision, type RotatedRow, rotateRefreshToken } from '@drawbridge/store/refresh-tokens'
import { inTenant, onHotPath } from '@drawbridge/store/transaction'
import type { BrokerDeps } from '../../deps.js'
import type { ResolvedTenant } from '../../http/tenant.js'
import type { Exchange, ExchangeContext } from '../exchange.js'
import { issueTokens } from '../issue-tokens.js'

/** Policy and claims may change again while they are being decided on; after this many rounds the client may try again. */
const mostDecisions = 3

/** @spec RFC 6749 §6, RFC 9700 §4.14.2 */
export const exchangeRefreshToken: Exchange<RefreshRequest> = async (deps, context, request) => {
  const { tenant, client, http, now } = context
  const familyId = readFamily(request.refreshToken.reveal())
  if (familyId === undefined) return err({ reason: 'refresh_token_unknown' })
  const keyVersion = deps.sealer.currentVersion
  const successor = deriveSuccessor(deps.sealer, { familyId, keyVersion }, request.refreshToken)
  let redecision: Redecision | undefined
  for (let round = 0; round <= mostDecisions; round += 1) {
    const rotation = await rotateRefreshToken(onHotPath(deps.database), {
      tenantId: tenant.id,
      tokenHash: hashCredential(request.refreshToken),
      presented: { issuerId: tenant.issuer.id, clientId: client.id, scopes: request.scopes, resource: request.resource },
      successor: { hash: hashCredential(successor), keyVersion },
      redecision,
      eventId: deps.random.uuid(),
      now,
      asked: { requestId: http.requestId, address: http.address },
    })
    if (rotation.kind === 'refused') return err({ reason: rotation.reason })
    if (rotation.kind === 'decide_again') {
      redecision = decideAgain(
        await deps.configuration.atVersion(tenant, rotation.grant.configuration_version),
        client,
        rotation.grant,
        now,
      )
      if (!redecision) {
        await writeDenial(deps, context, rotation.grant)
        return err({ reason: 'grant_policy_denies' })
      }
      continue
    }
    const { grant, successorKeyVersion } = rotation
    const sameKey = successorKeyVersion === keyVersion
    const held = holdToCeilings(await deps.configuration.atVersion(tenant, grant.configuration_version), client, grant, request)
    if (!held) {
      await writeDenial(deps, context, grant)
      return err({ reason: 'grant_policy_denies' })
    }
    return ok(
      await issueTokens(deps, tenant, {
        grant,
        ...held,
        grantExpiresAt: grant.ends_at,
        refreshToken: sameKey
          ? successor
          : deriveSuccessor(deps.sealer, { familyId, keyVersion: successorKeyVersion }, request.refreshToken),
        now,
      }),
    )
  }
  return err({ reason: 'decision_unsettled' })
}

/**
 * What the admin's limits leave of a rotated grant. They have no version that a grant could carry, so they bind at every answer.
 * `undefined`: nothing is left, or this issuer may no longer mint for the resource.
 */
function holdToCeilings(tenant: ResolvedTenant, client: Client, grant: RotatedRow, request: RefreshRequest) {
  const resource = tenant.resource(grant.audience)
  const { scopeCeiling } = client
  const scopes = (request.scopes ?? grant.allowed).filter((scope) => scopeCeiling.length === 0 || scopeCeiling.includes(scope as Scope))
  if (!resource || scopes.length === 0) return undefined
  const seconds = [grant.access_seconds, client.accessTokenTtlSeconds, resource.accessTokenTtlSeconds].filter((one) => one !== undefined)
  return { scopes, accessTokenTtlSeconds: Math.min(...seconds) }
}

/** Asks policy about the grant as it stands. `undefined`: nothing is allowed any more; what cannot be read counts as that. */
function decideAgain(tenant: ResolvedTenant, client: Client, grant: RotatedRow, now: Instant): Redecision | undefined {
  const identity = identityFromJson(grant.subject_claims)
  const resource = tenant.resource(grant.audience)
  if (!identity.ok || !resource) return undefined
  const decision = decide(tenant.policy, {
    // The strength of the login behind this grant, not of a later one elsewhere.
    identity: {
      ...identity.value,
      authentication: { acr: grant.acr ?? undefined, amr: grant.amr, authenticatedAt: grant.authenticated_at ?? undefined },
    },
    client: {
      id: client.id,
      host: hostOfClient(client),
      kind: client.kind,
      scopeCeiling: client.scopeCeiling,
      accessTokenTtlSeconds: client.accessTokenTtlSeconds,
    },
    resource: resource as unknown as PolicyInput['resource'],
    request: { scopes: grant.scopes as readonly Scope[], stepUpsDone: 0, kind: 'refresh' },
    session: { startedAt: grant.authenticated_at ?? grant.grant_created_at },
    now,
  })
  if (decision.kind !== 'allow') return undefined
  return {
    policyVersion: grant.policy_now,
    claimsVersion: grant.claims_now,
    scopes: decision.scopes,
    accessTokenTtlSeconds: decision.accessTokenTtl.seconds,
    refreshTtlSeconds: decision.refreshTokenTtl?.seconds,
    expiresAt: decision.sessionExpiresAt,
  }
}

/** The statement changed nothing and so wrote nothing; the refusal belongs in the audit trail all the same. */
function writeDenial(deps: BrokerDeps, { tenant, http, now }: ExchangeContext, grant: RotatedRow): Promise<void> {
  return inTenant(deps.database, tenant.id, (db) =>
    insertAuditEvent(db, tenant.id, {
      at: now,
      kind: 'token_refresh_refused',
      issuerId: grant.issuer_id,
      subjectId: grant.subject_id ?? undefined,
      clientId: grant.client_id,
      connectionId: grant.connection_id ?? undefined,
      grantId: grant.grant_id,
      scopes: grant.scopes,
      reason: 'grant_policy_denies',
      requestId: http.requestId,
      address: http.address,
    }),
  )
}
