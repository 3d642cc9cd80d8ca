/**
 * Where a proof of a key is demanded, whoever brings none gets nothing, and is judged by the statement all the same: what was in two hands ends its grant,
 * a client that was blocked hears nothing of proofs, and what an admin has allowed a moment ago is allowed. security.md §9, §14; RFC 9449 §5.
 */
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { graceSeconds } from '@drawbridge/core/oauth/refresh-token'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aGrant } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { aTokenClient, type TokenClient } from '@drawbridge/testkit/a-token-client'
import { aTokenKey } from '@drawbridge/testkit/a-token-key'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { toldRefusals } from '@drawbridge/testkit/told-refusals'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let fixture: TestDatabase
let acme: ATenant
let broker: TestBroker
let client: TokenClient
const refusals = toldRefusals()

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  broker = await aBroker(fixture.database, { clock: { now: () => now }, metrics: refusals.metrics })
  client = aTokenClient(broker, acme)
  await aTokenKey(fixture, broker, acme)
  for (const name of ['read', 'write'])
    await owner('INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier) VALUES ($1, $2, $3, $3, $3)', [
      ...[acme.tenantId, acme.resourceId, name],
    ])
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})
beforeEach(async () => {
  await owner('UPDATE clients SET blocked_at = NULL WHERE tenant_id = $1', [acme.tenantId])
  await demand(false)
  broker.deps.configuration.invalidate()
  refusals.take()
})

const owner = <Row = Record<string, unknown>>(sql: string, parameters: readonly unknown[] = []) =>
  asOwner<Row>(fixture.ownerUrl, sql, parameters)
/** Written by another process: this one goes on with what it remembers. */
const demand = (boundTokensDemanded: boolean) =>
  owner('UPDATE tenants SET dpop = $2 WHERE id = $1', [acme.tenantId, JSON.stringify({ boundTokensDemanded, nonceDemanded: false })])
const demandHere = async () => {
  await demand(true)
  broker.deps.configuration.invalidate()
}

async function login() {
  const { code, grantId } = await aGrant(fixture, acme, { now })
  const { access_token: access, refresh_token: refresh } = await client.redeem(code)
  return { code, grantId, access, refresh }
}
const trailOf = async (grantId: string) =>
  (
    await owner<{ kind: string; reason: string | null; killed: boolean | null }>(
      `SELECT kind, reason, (detail -> 'grantRevoked')::boolean AS killed FROM audit_events WHERE grant_id = $1 AND reason IS NOT NULL AND kind LIKE '%_refused'`,
      [grantId],
    )
  ).map(({ kind, reason, killed }) => `${kind}: ${reason}${killed ? ', killed' : ''}`)
const endOf = async (grantId: string) =>
  (await owner<{ reason: string | null }>('SELECT revoked_reason AS reason FROM grants WHERE id = $1', [grantId]))[0]?.reason

describe('without the proof that is demanded', () => {
  it('a replay of a refresh token that was rotated is theft, and its family dies', async () => {
    const { grantId, access, refresh } = await login()
    const { refresh_token: successor } = await client.refresh(refresh)
    now = addSeconds(now, graceSeconds)
    await demandHere()
    expect((await client.refresh(refresh)).error).toBe('invalid_grant')
    expect(refusals.take()).toEqual(['refresh_token_stolen'])
    expect([await endOf(grantId), await trailOf(grantId)]).toEqual([
      'refresh_token_stolen',
      ['token_refresh_refused: refresh_token_stolen, killed'],
    ])
    expect(await client.introspect(access)).toMatchObject({ active: false })
    await client.refresh(successor)
    expect(refusals.take()).toEqual(['grant_revoked'])
  })

  it('a second use of a code is one, and its grant dies', async () => {
    const { grantId, access, code } = await login()
    await demandHere()
    expect((await client.redeem(code)).error).toBe('invalid_grant')
    expect(refusals.take()).toEqual(['code_replayed'])
    expect([await endOf(grantId), await trailOf(grantId)]).toEqual(['code_replayed', ['code_refused: code_replayed, killed']])
    expect(await client.introspect(access)).toMatchObject({ active: false })
  })

  it('an honest code, and an honest refresh, before and inside the grace, use nothing up and leave no trail', async () => {
    const { grantId, refresh } = await login()
    const waiting = await aGrant(fixture, acme, { now })
    const rotated = await login()
    const { refresh_token: successor } = await client.refresh(rotated.refresh)
    await demandHere()
    for (const ask of [() => client.refresh(refresh), () => client.redeem(waiting.code), () => client.refresh(rotated.refresh)])
      expect((await ask()).error).toBe('invalid_dpop_proof')
    expect(refusals.take()).toEqual(['dpop_proof_missing', 'dpop_proof_missing', 'dpop_proof_missing'])
    expect([await trailOf(grantId), await trailOf(waiting.grantId), await trailOf(rotated.grantId)]).toEqual([[], [], []])
    await demand(false)
    expect((await client.refresh(rotated.refresh)).refresh_token).toBe(successor)
    now = addSeconds(now, graceSeconds)
    expect((await client.refresh(refresh)).scope).toBe('read write')
    expect((await client.redeem(waiting.code)).scope).toBe('read write')
  })

  it('a client that was blocked hears nothing of proofs', async () => {
    const { refresh } = await login()
    await demandHere()
    await client.refresh(refresh)
    expect(refusals.take()).toEqual(['dpop_proof_missing'])
    await owner('UPDATE clients SET blocked_at = now() WHERE tenant_id = $1', [acme.tenantId])
    await client.refresh(refresh)
    expect(refusals.take()).toEqual(['client_authentication_blocked'])
  })
})

it.each(['a tenant', 'a client'])('a demand of %s that was lifted is held against nobody by a process that remembers it', async (whose) => {
  const { refresh } = await login()
  const waiting = await aGrant(fixture, acme, { now })
  const ofClient = (demanded: boolean) =>
    owner('UPDATE clients SET dpop_bound_access_tokens = $2 WHERE tenant_id = $1', [acme.tenantId, demanded])
  if (whose === 'a tenant') await demandHere()
  else await ofClient(true)
  expect([(await client.refresh(refresh)).error, (await client.redeem(waiting.code)).error]).toEqual([
    'invalid_dpop_proof',
    'invalid_dpop_proof',
  ])
  await (whose === 'a tenant' ? demand(false) : ofClient(false))
  expect([(await client.refresh(refresh)).scope, (await client.redeem(waiting.code)).scope]).toEqual(['read write', 'read write'])
})
