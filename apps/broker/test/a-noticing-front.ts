/** A front issuer beside the tenant's own that a noticing broker has: it speaks for acme and globex to the resource server that they share. */
import { addSeconds } from '@drawbridge/core/instant'
import { sessionRevoked } from '@drawbridge/core/signals/event-stream'
import { type DeprovisioningEventId, type IssuerId, type ResourceId, type TenantId, vendorTenantId } from '@drawbridge/core/tenant/ids'
import { signJwt } from '@drawbridge/crypto/jwt'
import { generateSigningKey, toSigningKey } from '@drawbridge/crypto/signing-keys'
import { insertNotices } from '@drawbridge/store/notices'
import { acrossTenants } from '@drawbridge/store/transaction'
import { asOwner } from '@drawbridge/testkit/database'
import { aNoticingBroker, ids, type NoticingBroker, random } from './a-noticing-broker.js'

export const sharedResource = 'https://shared.example/mcp'
export type Company = 'acme' | 'globex'
export const tenantOf = (company: Company): TenantId => (company === 'acme' ? ids.tenant : ids.other) as TenantId

export type NoticingFront = {
  readonly broker: NoticingBroker
  readonly url: string
  /** What the worker's job writes when somebody of this company ends; answers the `jti`. */
  revoke(company: Company, subject: string): Promise<string>
  receiptsOf(subject: string): Promise<readonly Receipt[]>
}
type Receipt = {
  readonly tenant: Company
  readonly instance: string
  readonly isAcknowledged: boolean
  readonly isPaused: boolean
  readonly refusal: string | null
  readonly isDead: boolean
}

export async function aNoticingFront(allowedOrigins: readonly string[] = []): Promise<NoticingFront> {
  const broker = await aNoticingBroker(allowedOrigins)
  const url = new URL(broker.issuer).origin
  const frontId = random.uuid() as IssuerId
  const key = generateSigningKey(random, 'notices')
  const write = <Row>(sql: string, ...parameters: readonly unknown[]) => asOwner<Row>(broker.fixture.ownerUrl, sql, parameters)
  await write(
    "INSERT INTO issuers (tenant_id, id, url, kind, created_at) VALUES ($1, $2, $3, 'front', now())",
    vendorTenantId,
    frontId,
    url,
  )
  const { installationId } = broker.pushDeps
  const context = { installation: installationId, tenant: vendorTenantId, table: 'signing_keys', column: 'sealed_private_key', row: key.id }
  await write(
    `INSERT INTO signing_keys (tenant_id, id, issuer_id, purpose, algorithm, state, public_jwk, sealed_private_key, created_at, activated_at)
     VALUES ($1, $2, $3, 'notices', 'ES256', 'active', $4, $5, now(), now())`,
    ...[vendorTenantId, key.id, frontId, JSON.stringify(key.publicJwk), broker.sealer.seal(key.privateKey, context)],
  )
  await write(
    'INSERT INTO resource_issuers (tenant_id, resource_id, issuer_tenant_id, issuer_id) VALUES ($1, $2, $1, $3)',
    ...[vendorTenantId, ids.shared, frontId],
  )
  const sign = (claims: Readonly<Record<string, unknown>>) =>
    signJwt(toSigningKey(key, key.privateKey), { typ: 'secevent+jwt' }, { iss: url, aud: sharedResource, ...claims })

  const revoke: NoticingFront['revoke'] = async (company, subject) => {
    const now = broker.pushDeps.clock.now()
    const [tenant, eventId, jti] = [tenantOf(company), random.uuid() as DeprovisioningEventId, random.uuid()]
    const iat = Math.floor(now / 1000)
    const token = sign({
      ...{ tenant: company, iat, jti, txn: eventId, sub_id: { format: 'iss_sub', iss: url, sub: subject } },
      events: { [sessionRevoked]: { event_timestamp: iat, initiating_entity: 'admin' } },
      drawbridge: { target: 'subject', targetId: subject, epoch: 2, tenant: company },
    })
    await write(
      `INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, received_at, barrier_at, swept_at)
       VALUES ($1, $2, 'admin', 'subject', $3, 'test', $4, $4, $4)`,
      ...[tenant, eventId, subject, new Date(now)],
    )
    const issuer = { tenant: vendorTenantId, id: frontId }
    const to = { tenantId: vendorTenantId, resourceId: ids.shared as ResourceId, issuer, eventTenant: tenant }
    await acrossTenants(broker.fixture.database, (db) =>
      insertNotices(db, { ...to, createdAt: now, expiresAt: addSeconds(now, 3600) }, [{ eventId, jti, token }]),
    )
    return jti
  }
  const receiptsOf: NoticingFront['receiptsOf'] = (subject) =>
    write<Receipt>(
      `SELECT t.slug AS tenant, r.instance, r.acknowledged_at IS NOT NULL AS "isAcknowledged", r.paused_at IS NOT NULL AS "isPaused", r.refusal,
         e.dead_at IS NOT NULL AS "isDead"
       FROM deprovisioning_events e JOIN notice_receipts r ON r.tenant_id = e.tenant_id AND r.event_id = e.id JOIN tenants t ON t.id = r.tenant_id
       WHERE e.target_id = $1 ORDER BY r.instance`,
      subject,
    )
  return { broker, url, revoke, receiptsOf }
}
