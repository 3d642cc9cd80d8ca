/** A client that acts in its own name, with a secret: `robot`, arranged as the owner of the tables. */
import type { Instant } from '@drawbridge/core/instant'
import { hashOf } from './a-grant.js'
import type { ATenant } from './a-tenant.js'
import { asOwner, type TestDatabase } from './database.js'

export const aRobotsId = 'robot'
export const aRobotsSecret = 'dbk_robot'

/** It is there once, however often it is asked for. */
export async function aRobot(
  fixture: Pick<TestDatabase, 'ownerUrl'>,
  tenant: ATenant,
  {
    now,
    method = 'client_secret_post',
    ceiling = '{read}',
  }: { now: Instant; method?: 'client_secret_post' | 'client_secret_basic'; ceiling?: string },
): Promise<void> {
  await asOwner(
    fixture.ownerUrl,
    `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, secret_hash, scope_ceiling, created_at)
     VALUES ($1, $2, $3, 'preregistered', 'Robot', '{}', '{client_credentials}', $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
    [tenant.tenantId, tenant.issuerId, aRobotsId, method, hashOf(aRobotsSecret), ceiling, new Date(now)],
  )
}
