/**
 * What is refused at the token endpoint uses nothing up: the same code or refresh token is as good as it was once the reason is gone, nobody who comes
 * again is taken for a thief, and the trail, which is kept for ever, has one line of a refusal and none of a success.
 */
import { identityToJson } from '@drawbridge/core/identity/identity-json'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { refusalToldEverySeconds } from '@drawbridge/core/oauth/refresh-token'
import { publishPolicy } from '@drawbridge/store/policies'
import { inTenant } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aGrant } from '@drawbridge/testkit/a-grant'
import { type ARace, aRace } from '@drawbridge/testkit/a-race'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { aTokenClient, type TokenClient } from '@drawbridge/testkit/a-token-client'
import { aTokenKey } from '@drawbridge/testkit/a-token-key'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let now: Instant = instant(Date.now())
let fixture: TestDatabase
let acme: ATenant
let race: ARace
let broker: TestBroker
let client: TokenClient

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  race = aRace(fixture.database)
  broker = await aBroker(race.database, { clock: { now: () => now } })
  client = aTokenClient(broker, acme)
  await aTokenKey(fixture, broker, acme)
  for (const name of ['read', 'write'])
    await owner('INSERT INTO resource_scopes (tenant_id, resource_id, name, description, tier) VALUES ($1, $2, $3, $3, $3)', [
      ...[acme.tenantId, acme.resourceId, name],
    ])
  const identity = identityToJson({
    ...{ connectionId: acme.connectionId, stableId: 'ada', subjectId: acme.subjectId, claims: new Map(), groups: { state: 'absent' } },
    ...{ authentication: { acr: 'mfa', amr: ['otp'], authenticatedAt: now }, sessionExpiresAt: undefined },
    idpSession: { sessionIndex: undefined, nameId: undefined, sid: undefined, subject: undefined },
  })
  await owner('UPDATE subjects SET claims = $2 WHERE id = $1', [acme.subjectId, JSON.stringify(identity)])
})
afterAll(async () => {
  await broker?.close()
  await fixture?.close()
})
beforeEach(async () => {
  await limitTo()
  await demand(null)
  await publish('read, write')
})

const owner = <Row = Record<string, unknown>>(sql: string, parameters: readonly unknown[] = []) =>
  asOwner<Row>(fixture.ownerUrl, sql, parameters)
const limitTo = (...scopes: string[]) => owner('UPDATE clients SET scope_ceiling = $2 WHERE tenant_id = $1', [acme.tenantId, scopes])
const demand = (dpop: object | null) => owner('UPDATE tenants SET dpop = $2 WHERE id = $1', [acme.tenantId, dpop && JSON.stringify(dpop)])
const publish = (scopes: string) =>
  inTenant(fixture.database, acme.tenantId, (db) =>
    publishPolicy(db, acme.tenantId, {
      document: `version: 1\nrules: [{ name: all, effect: grant, scopes: [${scopes}], everyone: true }]`,
      ...{ author: 'test', now },
    }),
  )

async function login() {
  const { code, grantId } = await aGrant(fixture, acme, { now })
  const tokens = await client.redeem(code)
  expect(tokens.scope).toBe('read write')
  return { grantId, access: tokens.access_token, refresh: tokens.refresh_token }
}
const refreshFor = (token: string, scope: string) =>
  client.post('token', { grant_type: 'refresh_token', refresh_token: token, client_id: acme.clientId, scope })
const trailOf = (grantId: string) =>
  owner<{ kind: string; reason: string | null }>('SELECT kind, reason FROM audit_events WHERE grant_id = $1 AND kind <> $2 ORDER BY id', [
    grantId,
    'grant_opened',
  ]).then((rows) => rows.map(({ kind, reason }) => (reason === null ? kind : `${kind}: ${reason}`)))

describe('a refresh', () => {
  it('of which a lowered ceiling leaves nothing: the same token works once the ceiling is lifted, however late, and nothing is killed', async () => {
    const { grantId, access, refresh } = await login()
    await limitTo('admin')
    expect((await client.refresh(refresh)).error).toBe('invalid_grant')
    expect(await trailOf(grantId)).toEqual(['code_redeemed', 'token_refresh_refused: grant_policy_denies'])
    now = addSeconds(now, 45)
    expect((await client.refresh(refresh)).error).toBe('invalid_grant')
    expect(await trailOf(grantId)).toHaveLength(2)
    expect(await client.introspect(access)).toMatchObject({ active: true })
    await limitTo()
    expect(await client.refresh(refresh)).toMatchObject({ scope: 'read write' })
    expect(await trailOf(grantId)).toEqual(['code_redeemed', 'token_refresh_refused: grant_policy_denies', 'token_refreshed'])
  })

  it('for a scope that no longer stands under the ceiling is told so, and the token refreshes for what does', async () => {
    const { grantId, refresh } = await login()
    await limitTo('read')
    expect((await refreshFor(refresh, 'write')).error).toBe('invalid_scope')
    now = addSeconds(now, 45)
    expect((await refreshFor(refresh, 'write')).error).toBe('invalid_scope')
    expect(await refreshFor(refresh, 'read write')).toMatchObject({ scope: 'read' })
    expect(await trailOf(grantId)).toEqual(['code_redeemed', 'token_refresh_refused: scope_widened', 'token_refreshed'])
  })

  it('inside the grace is held to the ceiling, too, and answers the same successor afterwards', async () => {
    const { refresh } = await login()
    const { refresh_token: successor } = await client.refresh(refresh)
    await limitTo('admin')
    expect((await client.refresh(refresh)).error).toBe('invalid_grant')
    await limitTo()
    expect((await client.refresh(refresh)).refresh_token).toBe(successor)
  })

  it('for a resource that its issuer may mint for no longer is good again once it may', async () => {
    const { grantId, refresh } = await login()
    const { code, grantId: waiting } = await aGrant(fixture, acme, { now })
    await owner('DELETE FROM resource_issuers WHERE tenant_id = $1', [acme.tenantId])
    expect((await client.refresh(refresh)).error).toBe('invalid_grant')
    expect((await client.redeem(code)).error).toBe('invalid_grant')
    await owner('INSERT INTO resource_issuers (tenant_id, resource_id, issuer_tenant_id, issuer_id) VALUES ($1, $2, $1, $3)', [
      ...[acme.tenantId, acme.resourceId, acme.issuerId],
    ])
    now = addSeconds(now, 45)
    expect((await client.refresh(refresh)).scope).toBe('read write')
    expect((await client.redeem(code)).scope).toBe('read write')
    expect(await trailOf(grantId)).toEqual(['code_redeemed', 'token_refresh_refused: grant_policy_denies', 'token_refreshed'])
    expect(await trailOf(waiting)).toEqual(['code_refused: grant_policy_denies', 'code_redeemed'])
  })

  it('that policy denies is told once an hour, whatever it asks for', async () => {
    const { grantId, refresh } = await login()
    await publish('admin')
    for (const scope of ['', 'read']) expect((await refreshFor(refresh, scope)).error).toBe('invalid_grant')
    expect((await refreshFor(refresh, 'admin')).error).toBe('invalid_scope')
    expect(await trailOf(grantId)).toEqual(['code_redeemed', 'token_refresh_refused: grant_policy_denies'])
    now = addSeconds(now, refusalToldEverySeconds)
    expect((await client.refresh(refresh)).error).toBe('invalid_grant')
    expect(await trailOf(grantId)).toHaveLength(3)
  })

  it('for what was never granted, or for another resource, is told once an hour', async () => {
    const { grantId, refresh } = await login()
    for (const scope of ['admin', 'root']) expect((await refreshFor(refresh, scope)).error).toBe('invalid_scope')
    const form = { grant_type: 'refresh_token', refresh_token: refresh, client_id: acme.clientId, resource: 'https://other.example' }
    expect((await client.post('token', form)).error).toBe('invalid_target')
    expect(await trailOf(grantId)).toEqual(['code_redeemed', 'token_refresh_refused: scope_widened'])
  })
})

describe('a code', () => {
  it('of which a lowered ceiling leaves nothing is redeemed once the ceiling is lifted', async () => {
    const { code, grantId } = await aGrant(fixture, acme, { now })
    await limitTo('admin')
    for (let time = 0; time < 2; time += 1) expect((await client.redeem(code)).error).toBe('invalid_grant')
    await limitTo()
    expect((await client.redeem(code)).scope).toBe('read write')
    expect(await trailOf(grantId)).toEqual(['code_refused: grant_policy_denies', 'code_redeemed'])
  })

  it('that policy denies is told once', async () => {
    const { code, grantId } = await aGrant(fixture, acme, { now })
    await publish('admin')
    for (let time = 0; time < 2; time += 1) expect((await client.redeem(code)).error).toBe('invalid_grant')
    expect(await trailOf(grantId)).toEqual(['code_refused: grant_policy_denies'])
    await publish('read')
    expect((await client.redeem(code)).scope).toBe('read')
  })
})

it.each(['rotate_or_refuse_refresh_token', 'redeem_or_refuse_code'] as const)(
  'a policy that allows again, published while another that denied was being decided on for %s, is the one that counts',
  async (statement) => {
    const { refresh } = await login()
    const waiting = await aGrant(fixture, acme, { now })
    await publish('admin')
    let statements = 0
    race.before(statement, async () => ((statements += 1) === 2 ? publish('read, write') : undefined), 2)
    const answer = await (statement === 'redeem_or_refuse_code' ? client.redeem(waiting.code) : refreshFor(refresh, 'write'))
    expect(answer.scope).toBe(statement === 'redeem_or_refuse_code' ? 'read write' : 'write')
    expect(statements).toBe(2)
  },
)

it.each(['rotate_refresh_token', 'redeem_code'] as const)(
  'a demand for a proof of a key, made just before %s: nothing is used up, and without the demand it goes through',
  async (statement) => {
    const { grantId, refresh } = await login()
    const waiting = await aGrant(fixture, acme, { now })
    const present = () => (statement === 'redeem_code' ? client.redeem(waiting.code) : client.refresh(refresh))
    race.before(statement, () => demand({ boundTokensDemanded: true, nonceDemanded: false }))
    expect((await present()).error).toBe('invalid_dpop_proof')
    expect(await trailOf(grantId)).toEqual(['code_redeemed'])
    expect(await trailOf(waiting.grantId)).toEqual([])
    await demand(null)
    now = addSeconds(now, 45)
    expect((await present()).scope).toBe('read write')
  },
)

it.each(['rotate_or_refuse_refresh_token', 'redeem_or_refuse_code'] as const)(
  'a refusal whose reason goes just before %s tells of it is none',
  async (statement) => {
    const { grantId, refresh } = await login()
    const waiting = await aGrant(fixture, acme, { now })
    await limitTo('admin')
    race.before(statement, () => limitTo())
    const answer = await (statement === 'redeem_or_refuse_code' ? client.redeem(waiting.code) : client.refresh(refresh))
    expect(answer.scope).toBe('read write')
    const [id, gave] = statement === 'redeem_or_refuse_code' ? [waiting.grantId, 'code_redeemed'] : [grantId, 'token_refreshed']
    expect((await trailOf(id)).at(-1)).toBe(gave)
    expect((await trailOf(id)).join()).not.toContain('refused')
  },
)
