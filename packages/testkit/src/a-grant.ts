/** A grant with its code, opened through the product's own statement. */
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { addSeconds, type Instant } from '@drawbridge/core/instant'
import { codePrefix, openCode } from '@drawbridge/core/oauth/authorization-code'
import { deviceRedirectUri } from '@drawbridge/core/oauth/device-code'
import type { KeyThumbprint } from '@drawbridge/core/oauth/dpop-proof'
import { openGrant } from '@drawbridge/core/oauth/grant'
import type { IdentityScope } from '@drawbridge/core/oauth/scope'
import type { BrowserSessionId, CredentialHash, DeviceCodeId, GrantId, Scope } from '@drawbridge/core/tenant/ids'
import type { DecidedOn } from '@drawbridge/store/authorization-requests'
import { openGrantWithCode } from '@drawbridge/store/grants'
import { onHotPath } from '@drawbridge/store/transaction'
import type { ATenant } from './a-tenant.js'
import { asOwner, type TestDatabase } from './database.js'

export const aRedirectUri = 'http://127.0.0.1/callback'
/** Verifier and challenge of RFC 7636 appendix B. */
export const aVerifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
export const aChallenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'

export const hashOf = (credential: string): CredentialHash => createHash('sha256').update(credential).digest() as CredentialHash

export type AGrant = { readonly grantId: GrantId; readonly code: string; readonly opened: boolean }

export async function aGrant(
  fixture: TestDatabase,
  tenant: ATenant,
  given: {
    now: Instant
    scopes?: readonly string[]
    identityScopes?: readonly IdentityScope[]
    refreshSeconds?: number | undefined
    sessionSeconds?: number
    epochs?: { subject: number }
    nonce?: string
    /** The thumbprint of the key that its code is bound to. */
    dpopKey?: string
    sessionId?: BrowserSessionId
    /** It answers a device: the request that the person was busy with, and the code of the device itself. */
    device?: { readonly id: DeviceCodeId; readonly authorizationRequestId: string; readonly deviceCode: string }
    /** What was known of the person when it was decided. */
    versions?: { readonly claimsVersion: number; readonly directoryVersion: number }
  },
): Promise<AGrant> {
  const { device } = given
  const { now, scopes = ['read', 'write'], sessionSeconds = 28_800 } = given
  const refreshSeconds = 'refreshSeconds' in given ? given.refreshSeconds : 14_400
  const code = codePrefix + randomBytes(32).toString('base64url')
  const grant = openGrant(
    {
      ...tenant,
      id: randomUUID() as GrantId,
      resourceTenantId: tenant.tenantId,
      audience: tenant.resource,
      sessionId: given.sessionId,
      scopes: scopes as readonly Scope[],
      identityScopes: given.identityScopes ?? [],
      epochs: { tenant: 1, client: 1, connection: 1, subject: given.epochs?.subject ?? 1, grant: 1 },
      policyVersion: 0,
      ...(given.versions ?? { claimsVersion: 1, directoryVersion: 0 }),
      acr: 'mfa',
      amr: ['pwd', 'otp'],
      authenticatedAt: now,
      accessTokenTtl: { seconds: 900, by: 'tier', detail: 'write' },
      refreshTokenTtl: refreshSeconds === undefined ? undefined : { seconds: refreshSeconds, by: 'tier', detail: 'write' },
      refreshEndsAt: addSeconds(now, sessionSeconds),
      endsAt: addSeconds(now, sessionSeconds),
    },
    now,
  )
  const stored = openCode(
    {
      ...tenant,
      grantId: grant.id,
      codeHash: hashOf(code),
      redirectUri: device ? deviceRedirectUri : aRedirectUri,
      codeChallenge: device ? hashOf(device.deviceCode).toString('base64url') : aChallenge,
      nonce: given.nonce,
      dpopKey: given.dpopKey as KeyThumbprint | undefined,
    },
    now,
  )
  const decidedOn = await presentVersions(fixture, tenant)
  const opened = await openGrantWithCode(onHotPath(fixture.database), {
    grant,
    code: stored,
    decidedOn,
    authorizationRequestId: device?.authorizationRequestId,
    deviceCodeId: device?.id,
    detail: {},
    asked: { requestId: 'test', address: undefined },
  })
  return { grantId: grant.id, code, opened: opened.kind === 'written' }
}

/** What a decision that is taken at this moment stands on. */
export async function presentVersions(fixture: TestDatabase, tenant: ATenant): Promise<DecidedOn> {
  const [versions] = await asOwner<DecidedOn>(
    fixture.ownerUrl,
    `SELECT t.configuration_version::int AS "configurationVersion", c.version::int AS "clientVersion"
     FROM tenants t JOIN clients c ON c.tenant_id = t.id WHERE t.id = $1 AND c.issuer_id = $2 AND c.client_id = $3`,
    [tenant.tenantId, tenant.issuerId, tenant.clientId],
  )
  return versions as DecidedOn
}
