/** Authorization requests that a client pushed, until they are used. By the hash of what names them; a row that is used is gone. RFC 9126 */
import type { Instant } from '@drawbridge/core/instant'
import type { Caller } from '@drawbridge/core/oauth/caller'
import type { ProvenKey } from '@drawbridge/core/oauth/dpop-proof'
import type { CredentialHash, IssuerId, TenantId } from '@drawbridge/core/tenant/ids'
import { callerCte } from './caller.js'
import type { Asked } from './grants.js'
import { believedCte, proofParameters } from './replays.js'
import { type HotDb, hotStatement, judged, toTimestamp } from './transaction.js'

const proof = believedCte({ first: 11, issuer: '$2', when: 'SELECT 1 FROM caller WHERE is_current' })

const pushStatement = hotStatement({
  name: 'push_authorization_request',
  tenantParameter: 1,
  text: `WITH ${callerCte({ issuer: '$2', client: '$3', version: '$4' })},
  ${proof.cte},
  pushed AS (
    INSERT INTO pushed_requests (tenant_id, request_hash, issuer_id, client_id, parameters, tenant_epoch, client_epoch, created_at, expires_at)
    SELECT $1, $5, $2, $3, $6, t.epoch, cl.epoch, $7, $8 FROM tenants t
    JOIN clients cl ON cl.tenant_id = $1 AND cl.issuer_id = $2 AND cl.client_id = $3 AND cl.blocked_at IS NULL
    WHERE t.id = $1 AND t.suspended_at IS NULL AND (SELECT is_current FROM caller) AND ${proof.holds}
    RETURNING issuer_id, client_id),
  audited AS (
    INSERT INTO audit_events (tenant_id, at, kind, issuer_id, client_id, detail, request_id, address)
    SELECT $1, $7, 'authorization_request_pushed', issuer_id, client_id, '{}', $9, $10 FROM pushed WHERE $13)
  SELECT caller.is_current, ${proof.holds} AS believed, EXISTS (SELECT 1 FROM pushed) AS pushed FROM caller`,
})

export type PushedRequest = {
  readonly tenantId: TenantId
  readonly caller: Caller
  readonly requestHash: CredentialHash
  /** What the client asked for; nothing that proves it. */
  readonly parameters: Readonly<Record<string, string>>
  /** `undefined`: no proof of a key was sent. */
  readonly provenKey: ProvenKey | undefined
  readonly now: Instant
  readonly expiresAt: Instant
  readonly asked: Asked
  /** In the trail, which is kept for ever: only of a client that strangers can neither name nor make. */
  readonly isTold: boolean
}

/** Keeps it under the epochs of this moment, with a line in the audit trail. `client_changed`: the client is no longer what it was proven as, or its tenant is suspended. */
export async function pushAuthorizationRequest(
  hot: HotDb,
  request: PushedRequest,
): Promise<'pushed' | 'client_changed' | 'proof_replayed'> {
  const { tenantId, caller, asked } = request
  const { rows } = await hot.query<{ is_current: boolean; believed: boolean; pushed: boolean }>(pushStatement, [
    ...[tenantId, caller.issuerId, caller.clientId, caller.clientVersion, request.requestHash, JSON.stringify(request.parameters)],
    ...[toTimestamp(request.now), toTimestamp(request.expiresAt), asked.requestId, asked.address],
    ...[...proofParameters(request.provenKey), request.isTold],
  ])
  if (rows[0]?.is_current && !rows[0].believed) return 'proof_replayed'
  return rows[0]?.pushed === true ? 'pushed' : 'client_changed'
}

const useStatement = hotStatement({
  name: 'use_pushed_request',
  tenantParameter: 1,
  text: `DELETE FROM pushed_requests r
    WHERE r.tenant_id = $1 AND r.request_hash = $2 AND r.issuer_id = $3 AND r.client_id = $4 AND ${judged('r.expires_at > $5')}
      AND r.tenant_epoch = (SELECT epoch FROM tenants WHERE tenants.id = $1 AND suspended_at IS NULL)
      AND r.client_epoch = (SELECT epoch FROM clients WHERE clients.tenant_id = $1 AND clients.issuer_id = r.issuer_id
        AND clients.client_id = r.client_id AND clients.blocked_at IS NULL)
    RETURNING r.parameters`,
})

export type UsedRequest = {
  readonly requestHash: CredentialHash
  readonly issuerId: IssuerId
  /** As the browser says. Another's request is not found by it, and not used up. */
  readonly clientId: string
  readonly now: Instant
}

/** Of any number of callers exactly one gets what was pushed, once: not after its time, and not across a barrier. `undefined`: there is none. */
export async function usePushedRequest(hot: HotDb, tenant: TenantId, used: UsedRequest): Promise<unknown> {
  const { rows } = await hot.query<{ parameters: unknown }>(useStatement, [
    ...[tenant, used.requestHash, used.issuerId, used.clientId, toTimestamp(used.now)],
  ])
  return rows[0]?.parameters
}
