/**
 * What another process does to a client counts at the very next request here, though this process remembers the client and no message
 * reaches it. Two brokers stand on one database; every change is made behind both their backs.
 */
import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { addSeconds, type Instant, instant, toSeconds } from '@drawbridge/core/instant'
import type { ClientId } from '@drawbridge/core/tenant/ids'
import { generateSigningKey } from '@drawbridge/crypto/signing-keys'
import { insertSigningKey } from '@drawbridge/store/signing-keys'
import { inTenant } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aGrant, aRedirectUri, aVerifier, hashOf } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let fixture: TestDatabase
let acme: ATenant
let brokers: readonly [TestBroker, TestBroker]

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  const clock = { now: () => now }
  brokers = [await aBroker(fixture.database, { clock }), await aBroker(fixture.database, { clock })]
  const { sealer, random, installation } = brokers[0].deps
  const { privateKey, ...key } = generateSigningKey(random, 'tokens')
  const context = { installation: installation.id, tenant: acme.tenantId, table: 'signing_keys', column: 'sealed_private_key', row: key.id }
  const sealedPrivateKey = sealer.seal(privateKey, context)
  await inTenant(fixture.database, acme.tenantId, (db) =>
    insertSigningKey(db, acme.tenantId, { ...key, issuerId: acme.issuerId, state: 'active', now, sealedPrivateKey }),
  )
  await owner('INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier) VALUES ($1, $2, $3, $3, $3)', [
    ...[acme.tenantId, acme.resourceId, 'read'],
  ])
})
afterAll(async () => {
  for (const broker of brokers) await broker.close()
  await fixture.close()
})

const owner = (sql: string, parameters: readonly unknown[] = []) => asOwner<Record<string, unknown>>(fixture.ownerUrl, sql, parameters)

type Answer = { readonly told: string; readonly tokens: { readonly refresh_token: string; readonly scope: string } }

/** `told` is `ok` or the error. */
async function post(broker: TestBroker, path: string, form: Record<string, string>): Promise<Answer> {
  const answer = await fetch(`${broker.url}/t/acme/${path}`, { method: 'POST', body: new URLSearchParams(form) })
  const text = await answer.text()
  const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
  return { told: answer.ok ? 'ok' : String(body['error']), tokens: body as unknown as Answer['tokens'] }
}

let clients = 0

/** A client with a secret that both brokers remember, and what it holds. */
async function aRememberedClient() {
  clients += 1
  const id = `client-${clients}` as ClientId
  await owner(
    `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, secret_hash, scope_ceiling, created_at)
     VALUES ($1, $2, $3, 'preregistered', 'Client', '{}', '{authorization_code,refresh_token,client_credentials}', 'client_secret_post', $4, '{read,write}', $5)`,
    [acme.tenantId, acme.issuerId, id, hashOf('old'), new Date(now)],
  )
  const change = (sql: string, ...parameters: readonly unknown[]) =>
    owner(`UPDATE clients SET ${sql} WHERE client_id = $1`, [id, ...parameters])
  const by = (secret: string) => ({ client_id: id, client_secret: secret })
  const refresh = (at: TestBroker, token: string, secret = 'old') =>
    post(at, 'token', { grant_type: 'refresh_token', refresh_token: token, ...by(secret) })
  const actForItself = (at: TestBroker, secret = 'old') =>
    post(at, 'token', { grant_type: 'client_credentials', resource: acme.resource, scope: 'read', ...by(secret) })
  const revoke = (at: TestBroker, token: string) => post(at, 'revoke', { token, ...by('old') })
  const aCode = () => aGrant(fixture, { ...acme, clientId: id }, { now })
  const redeem = (at: TestBroker, code: string) =>
    post(at, 'token', { grant_type: 'authorization_code', code, redirect_uri: aRedirectUri, code_verifier: aVerifier, ...by('old') })
  const { code, grantId } = await aCode()
  const { tokens } = await redeem(brokers[0], code)
  expect((await actForItself(brokers[1])).told).toBe('ok')
  const isRevoked = async () => (await owner('SELECT revoked_at FROM grants WHERE id = $1', [grantId]))[0]?.['revoked_at'] !== null
  const audited = async () => Number((await owner('SELECT count(*)::int AS n FROM audit_events WHERE client_id = $1', [id]))[0]?.['n'])
  return { id, change, refresh, actForItself, revoke, aCode, redeem, isRevoked, audited, token: tokens.refresh_token }
}

describe('a client that another process changes', () => {
  it.each([0, 1] as const)('is refused everything from its block on, and served again from its release on (broker %i)', async (which) => {
    const at = brokers[which]
    const client = await aRememberedClient()
    const { code } = await client.aCode()
    await client.change('blocked_at = created_at')
    const before = await client.audited()
    expect((await client.refresh(at, client.token)).told).toBe('invalid_client')
    expect((await client.refresh(at, 'never issued')).told).toBe('invalid_client')
    expect((await client.redeem(at, code)).told).toBe('invalid_client')
    expect((await client.redeem(at, 'never issued')).told).toBe('invalid_client')
    expect((await client.actForItself(at)).told).toBe('invalid_client')
    expect(await client.audited()).toBe(before)
    await client.change('blocked_at = NULL')
    expect((await client.redeem(at, code)).told).toBe('ok')
    expect((await client.refresh(at, client.token)).told).toBe('ok')
    expect((await client.actForItself(at)).told).toBe('ok')
  })

  it('cannot bring a grant to its end while it is blocked: neither by giving a token back nor by showing a stolen one', async () => {
    const client = await aRememberedClient()
    expect((await client.refresh(brokers[0], client.token)).told).toBe('ok')
    await client.change('blocked_at = created_at')
    expect((await client.revoke(brokers[0], client.token)).told).toBe('invalid_client')
    expect((await client.revoke(brokers[1], 'never issued')).told).toBe('invalid_client')
    now = addSeconds(now, 31)
    expect((await client.refresh(brokers[1], client.token)).told).toBe('invalid_client')
    expect(await client.isRevoked()).toBe(false)
    await client.change('blocked_at = NULL')
    expect((await client.refresh(brokers[1], client.token)).told).toBe('invalid_grant')
    expect(await client.isRevoked()).toBe(true)
  })

  it('proves itself by its new secret at once, and by the old one no more', async () => {
    const client = await aRememberedClient()
    await client.change('secret_hash = $2', hashOf('new'))
    const successors = new Set<string>()
    for (const at of brokers) {
      expect((await client.refresh(at, client.token, 'old')).told).toBe('invalid_client')
      const refreshed = await client.refresh(at, client.token, 'new')
      expect(refreshed.told).toBe('ok')
      successors.add(refreshed.tokens.refresh_token)
    }
    expect(successors.size).toBe(1)
  })

  it('is unknown once it is deleted, and another client under the same name is another', async () => {
    const client = await aRememberedClient()
    await owner('DELETE FROM refresh_tokens WHERE client_id = $1', [client.id])
    await owner('DELETE FROM authorization_codes WHERE client_id = $1', [client.id])
    await owner('DELETE FROM grants WHERE client_id = $1', [client.id])
    const [row] = await owner('DELETE FROM clients WHERE client_id = $1 RETURNING tenant_id', [client.id])
    expect(row).toEqual({ tenant_id: acme.tenantId })
    expect((await client.actForItself(brokers[0])).told).toBe('invalid_client')
    await owner(
      `INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, secret_hash, scope_ceiling, created_at)
       VALUES ($1, $2, $3, 'preregistered', 'Client', '{}', '{client_credentials}', 'client_secret_post', $4, '{read}', $5)`,
      [acme.tenantId, acme.issuerId, client.id, hashOf('new'), new Date(now)],
    )
    for (const at of brokers) {
      expect((await client.actForItself(at, 'old')).told).toBe('invalid_client')
      expect((await client.actForItself(at, 'new')).told).toBe('ok')
    }
  })

  it('loses and gains grant types and scopes at once', async () => {
    const client = await aRememberedClient()
    await client.change("grant_types = '{client_credentials}', scope_ceiling = '{write}'")
    for (const at of brokers) {
      expect((await client.refresh(at, client.token)).told).toBe('unauthorized_client')
      expect((await client.actForItself(at)).told).toBe('invalid_scope')
    }
    await client.change("grant_types = '{refresh_token,client_credentials}', scope_ceiling = '{read}'")
    for (const at of brokers) {
      expect((await client.actForItself(at)).told).toBe('ok')
      expect(await client.refresh(at, client.token)).toMatchObject({ told: 'ok', tokens: { scope: 'read' } })
    }
  })

  it('and is blocked while it refreshes is served by nobody who is asked after the block, and loses nothing that it holds', async () => {
    const client = await aRememberedClient()
    const started: Promise<{ readonly late: boolean; readonly told: string }>[] = []
    let blocked = false
    const ask = async (at: TestBroker) => {
      const late = blocked
      return { late, told: (await client.refresh(at, client.token)).told }
    }
    const block = client.change('blocked_at = created_at').then(() => {
      blocked = true
    })
    for (let round = 0; round < 5 || !blocked; round += 1) {
      started.push(...brokers.map(ask))
      await Promise.race(started.slice(-2))
    }
    await block
    started.push(...brokers.map(ask))
    const answers = await Promise.all(started)
    expect(new Set(answers.filter((one) => one.late).map((one) => one.told))).toEqual(new Set(['invalid_client']))
    expect(await client.isRevoked()).toBe(false)
  })
})

describe('a client with a key that another process changes', () => {
  const aKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwksOf = (key: KeyObject) => JSON.stringify({ keys: [key.export({ format: 'jwk' })] })
  const assertionBy = (key: KeyObject, client: string) => {
    const aud = `${brokers[0].deps.settings.publicUrl}/t/acme`
    const claims = { iss: client, sub: client, aud, exp: toSeconds(now) + 60, jti: randomUUID() }
    const input = [{ alg: 'ES256' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
    return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
  }
  const present = (at: TestBroker, assertion: string) =>
    post(at, 'token', {
      grant_type: 'client_credentials',
      resource: acme.resource,
      client_assertion: assertion,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    })

  it('proves itself by its new key at once, by one assertion once though it is judged twice, and by the old key no more', async () => {
    const client = await aRememberedClient()
    const [old, next] = [aKey(), aKey()]
    await client.change("token_endpoint_auth_method = 'private_key_jwt', secret_hash = NULL, jwks = $2", jwksOf(old.publicKey))
    for (const at of brokers) expect((await present(at, assertionBy(old.privateKey, client.id))).told).toBe('ok')
    await client.change('name = name') // judged from memory, found changed, judged again
    const once = assertionBy(old.privateKey, client.id)
    expect((await present(brokers[0], once)).told).toBe('ok')
    for (const at of brokers) expect((await present(at, once)).told).toBe('invalid_client')
    await client.change('jwks = $2', jwksOf(next.publicKey))
    for (const at of brokers) {
      expect((await present(at, assertionBy(old.privateKey, client.id))).told).toBe('invalid_client')
      expect((await present(at, assertionBy(next.privateKey, client.id))).told).toBe('ok')
    }
  })
})
