/** A tenant whose key signs ID tokens, clients of it that hear of logouts, people, and what they were granted. */
import { generateSigningKey, toVerificationKey } from '@drawbridge/crypto/signing-keys'
import { asOwner, type TestDatabase } from '@drawbridge/testkit/database'
import { aCompany, installationId, random, sealer } from './a-company.js'

export async function aToldCompany(fixture: TestDatabase, slug: string) {
  const company = await aCompany(fixture, slug)
  const { tenant, issuerId, connection } = company
  const write = (sql: string, ...parameters: readonly unknown[]) => asOwner(fixture.ownerUrl, sql, parameters)
  const key = generateSigningKey(random, 'tokens')
  const context = { installation: installationId, tenant, table: 'signing_keys', column: 'sealed_private_key', row: key.id }
  await write(
    `INSERT INTO signing_keys (tenant_id, id, issuer_id, purpose, algorithm, state, public_jwk, sealed_private_key, created_at, activated_at)
     VALUES ($1, $2, $3, 'tokens', 'ES256', 'active', $4, $5, now(), now())`,
    ...[tenant, key.id, issuerId, JSON.stringify(key.publicJwk), sealer.seal(key.privateKey, context)],
  )
  const aClient = async (id: string, uri: string | null, sessionRequired = false) => {
    await write(
      `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at,
         backchannel_logout_uri, backchannel_logout_session_required)
       VALUES ($1, $2, $3, 'preregistered', $3, '{}', '{}', 'none', '{}', now(), $4, $5)`,
      ...[tenant, issuerId, id, uri, sessionRequired],
    )
    return id
  }
  const aPerson = async (name: string): Promise<string> => {
    const id = random.uuid()
    await write(
      `INSERT INTO subjects (tenant_id, id, connection_id, stable_id, claims, claims_at, created_at, last_login_at)
       VALUES ($1, $2, $3, $4, '{}', now(), now(), now())`,
      ...[tenant, id, connection, `${name} the told`],
    )
    return id
  }
  const aSession = async (subject: string): Promise<string> => {
    const id = random.uuid()
    await write(
      `INSERT INTO browser_sessions (tenant_id, id, issuer_id, handle_hash, subject_id, connection_id, tenant_epoch, connection_epoch, subject_epoch, amr,
         idp_session, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, 1, 1, 1, '{}', '{}', now(), '2099-01-01')`,
      ...[tenant, id, issuerId, random.bytes(32), subject, connection],
    )
    return id
  }
  /** Opened under the epochs that everything begins with. */
  const aGrant = async (client: string, subject: string, session: string | null = null, expiresAt = '2099-01-01'): Promise<string> => {
    const id = random.uuid()
    await write(
      `INSERT INTO grants (tenant_id, id, issuer_id, client_id, resource_tenant_id, resource_id, audience, scopes, tenant_epoch, client_epoch, connection_epoch,
         subject_epoch, policy_version, amr, access_token_ttl_seconds, expires_at, ceilings, created_at, subject_id, connection_id, session_id)
       VALUES ($1, $2, $3, $4, $1, $5, 'x', '{}', 1, 1, 1, 1, 0, '{}', 60, $9, '[]', now(), $6, $7, $8)`,
      ...[tenant, id, issuerId, client, company.resources[0]?.id, subject, connection, session, expiresAt],
    )
    return id
  }
  return { ...company, tokenJwk: key.publicJwk, tokenKey: toVerificationKey(key.publicJwk), aClient, aPerson, aSession, aGrant }
}
