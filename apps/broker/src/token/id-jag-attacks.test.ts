/** What is brought for an ID-JAG by a thief, or while something changes: a token that was in two hands ends its grant, and nothing is issued on what is no longer so. */
import { readEnv } from '@drawbridge/runtime/env'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import { aDpopKey } from '@drawbridge/testkit/a-dpop-key'
import { hashOf } from '@drawbridge/testkit/a-grant'
import { publish } from '@drawbridge/testkit/a-login'
import { type ARace, aRace } from '@drawbridge/testkit/a-race'
import type { AnExchangeCompany } from '@drawbridge/testkit/an-exchange-company'
import { type AnIdJagCompany, anIdJagCompany } from '@drawbridge/testkit/an-id-jag-company'
import { fromAnotherAddress } from '@drawbridge/testkit/many-addresses'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { rateLimits } from '../http/rate-limit.js'

let jag: AnIdJagCompany
let acme: AnExchangeCompany
let race: ARace
/** Another process, between whose statements something happens. */
let racing: TestBroker

beforeAll(async () => {
  jag = await anIdJagCompany()
  acme = jag.acme
  race = aRace(acme.at.fixture.database)
  racing = await aBroker(race.database, { clock: { now: acme.now }, connectorFor: acme.at.idp.connectorFor, metrics: acme.told.metrics })
})
beforeEach(async () => {
  await jag.begin()
  racing.deps.configuration.invalidate()
})
afterAll(async () => {
  await racing.close()
  await acme.at.close()
})

const dead = { status: 400, error: 'invalid_request', reason: 'subject_token_dead' }
const stolen = { ...dead, reason: 'subject_token_stolen' }
const grantOf = ({ access_token: token }: { readonly access_token: string }) => String(decodeJwt(token)['gid'])
const endOf = (grantId: string) => acme.owner('SELECT revoked_reason FROM grants WHERE tenant_id = $1 AND id = $2', grantId)

describe('one that is refused', () => {
  const most = rateLimits.subject_unattended.burst * 0.05
  const mostTold = rateLimits.refused_subject_token.burst * 0.05
  let limited: TestBroker
  beforeAll(async () => {
    const settings = { ...readEnv({ DRAWBRIDGE_TRUSTED_PROXY_HOPS: '1' }), rateLimitFactor: 0.05 }
    limited = await aBroker(race.database, { clock: { now: acme.now }, connectorFor: acme.at.idp.connectorFor, settings })
  })
  afterAll(() => limited?.close())
  const ask = (kind: 'refresh_token' | 'id_token', token: unknown) =>
    jag.ask(kind, token, {}, { ...jag.byAgent(), ...fromAnotherAddress() }, limited.url)
  const statuses = async (times: number, kind: 'refresh_token' | 'id_token', token: unknown) => {
    const answers = await Promise.all(Array.from({ length: times }, () => ask(kind, token)))
    return answers.map(({ status }) => status).sort()
  }
  const of = (status: number, times: number) => Array.from({ length: times }, () => status)
  const lines = () =>
    acme.owner(`SELECT reason FROM audit_events WHERE tenant_id = $1 AND kind LIKE 'id_jag%' AND at = $2`, new Date(acme.now()))

  it.each(['refresh_token', 'id_token'] as const)(
    'for the token itself is told so often, and refused beyond that, and spends nothing of what may be asked for the person: %s',
    async (kind) => {
      const [tokens, others] = [await jag.signIn(), await jag.signIn()]
      await acme.owner('UPDATE grants SET revoked_at = now() WHERE tenant_id = $1 AND id = $2', grantOf(tokens))
      expect(await statuses(most + 5, kind, tokens[kind])).toEqual(of(400, most + 5))
      expect(await lines()).toEqual(Array.from({ length: mostTold }, () => ({ reason: 'subject_token_dead' })))
      expect(await statuses(most, kind, others[kind])).toEqual(of(200, most))
    },
  )

  it('for the token itself is counted for each client and each grant: what one is refused leaves the others their lines', async () => {
    const [one, other] = [await jag.signIn(), await jag.signIn()]
    await acme.owner('UPDATE grants SET revoked_at = now() WHERE tenant_id = $1')
    for (const { refresh_token: token } of [one, one, other, other]) await ask('refresh_token', token)
    await jag.permit(jag.permission(), jag.permission({ client: 'gateway' }))
    limited.deps.configuration.invalidate()
    const { clientId, secret } = acme.gateway
    const gateway = { authorization: `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}` }
    for (let time = 0; time < 2; time += 1) await jag.ask('refresh_token', one.refresh_token, {}, gateway, limited.url)
    expect((await lines()).map(({ reason }) => reason)).toEqual([
      ...['subject_token_dead', 'subject_token_dead', 'subject_token_of_other_client'],
    ])
    acme.wait(1200)
    for (let time = 0; time < 2; time += 1) await ask('refresh_token', other.refresh_token)
    expect(await lines()).toEqual([{ reason: 'subject_token_dead' }])
  })

  it('for the token itself counts for the person after all where it is worth something again a moment later', async () => {
    const [tokens, others] = [await jag.signIn(), await jag.signIn()]
    const offer = (seconds: number | null) =>
      acme.owner('UPDATE grants SET refresh_ttl_seconds = $3 WHERE tenant_id = $1 AND id = $2', grantOf(tokens), seconds)
    expect(await statuses(most, 'refresh_token', others.refresh_token)).toEqual(of(200, most))
    await offer(null)
    let count = 0
    race.before('issue_id_jag', async () => ((count += 1) === 2 ? offer(14_400) : undefined), 2)
    expect([(await ask('refresh_token', tokens.refresh_token)).status, count]).toEqual([429, 2])
  })

  it('by policy counts for the person as one that is issued, before the trail has a line of it', async () => {
    const tokens = await jag.signIn()
    await publish(acme.at.fixture, acme.at.acme, acme.now(), 'version: 1\nrules: []\n')
    try {
      expect(await statuses(most + 5, 'refresh_token', tokens.refresh_token)).toEqual([...of(400, most), ...of(429, 5)])
      expect(await lines()).toHaveLength(most)
    } finally {
      await publish(
        acme.at.fixture,
        acme.at.acme,
        acme.now(),
        'version: 1\nrules: [{name: staff, effect: grant, scopes: [read, write], groups: [staff]}]\n',
      )
    }
  })

  it('for theft ends the grant and is told, however much was asked for the person', async () => {
    const [tokens, others] = [await jag.signIn(), await jag.signIn()]
    await jag.refresh(tokens.refresh_token)
    acme.wait(30)
    expect(await statuses(most, 'refresh_token', others.refresh_token)).toEqual(of(200, most))
    expect((await ask('refresh_token', tokens.refresh_token)).status).toBe(400)
    expect(await endOf(grantOf(tokens))).toEqual([{ revoked_reason: 'refresh_token_stolen' }])
    expect(await lines()).toContainEqual({ reason: 'subject_token_stolen' })
    // It is over by then, so that is told no more often than anything else is.
    for (let time = 0; time < mostTold + 1; time += 1) expect((await ask('refresh_token', tokens.refresh_token)).status).toBe(400)
    expect(await lines()).toHaveLength(most + 1 + mostTold)
  })
})

describe('a refresh token that was rotated', () => {
  it('is refused inside the grace, and ends nothing', async () => {
    const tokens = await jag.signIn()
    const { body } = await jag.refresh(tokens.refresh_token)
    acme.wait(29)
    expect(await jag.refusalOf(jag.ask('refresh_token', tokens.refresh_token))).toEqual(dead)
    expect(await endOf(grantOf(tokens))).toEqual([{ revoked_reason: null }])
    expect((await jag.ask('refresh_token', body['refresh_token'])).status).toBe(200)
  })

  it('was in two hands when it comes later, and its grant ends as by a refresh: for guards, and in the trail', async () => {
    const tokens = await jag.signIn()
    const { body } = await jag.refresh(tokens.refresh_token)
    acme.wait(30)
    expect(await jag.refusalOf(jag.ask('refresh_token', tokens.refresh_token))).toEqual(stolen)
    const grantId = grantOf(tokens)
    expect(await endOf(grantId)).toEqual([{ revoked_reason: 'refresh_token_stolen' }])
    expect(await jag.trail()).toMatchObject([
      { kind: 'id_jag_refused', reason: 'subject_token_stolen', grant_id: grantId, detail: { grantRevoked: true } },
    ])
    expect(await acme.owner('SELECT source FROM deprovisioning_events WHERE tenant_id = $1 AND target_id = $2', grantId)).toEqual([
      { source: 'token_theft' },
    ])
    expect(await acme.owner(`SELECT kind FROM outbox WHERE tenant_id = $1 AND payload ->> 'targetId' = $2`, grantId)).toEqual([
      { kind: 'revoke' },
    ])
    expect(await jag.refusalOf(jag.refresh(body['refresh_token']))).toMatchObject({ error: 'invalid_grant', reason: 'grant_revoked' })
    expect(await jag.refusalOf(jag.ask('refresh_token', body['refresh_token']))).toEqual(dead)
    expect(await jag.refusalOf(jag.ask('id_token', tokens.id_token))).toEqual(dead)
  })

  it('was in two hands inside the grace, too, where its successor was bound to a key that is not proved', async () => {
    const [tokens, others] = [await jag.signIn(), await jag.signIn()]
    const key = await aDpopKey()
    const prove = () => key.prove({ url: `${acme.at.issuer}/token`, now: acme.now() })
    for (const { refresh_token: token } of [tokens, others]) {
      expect((await jag.refresh(token, { dpop: await prove() })).status).toBe(200)
      await acme.owner(
        `UPDATE refresh_tokens SET dpop_jkt = $3 WHERE tenant_id = $1 AND token_hash = (SELECT successor_hash FROM refresh_tokens WHERE token_hash = $2)`,
        ...[hashOf(token), key.thumbprint],
      )
    }
    expect(await jag.refusalOf(jag.ask('refresh_token', tokens.refresh_token))).toEqual(stolen)
    expect(await endOf(grantOf(tokens))).toEqual([{ revoked_reason: 'refresh_token_stolen' }])
    const proved = jag.ask('refresh_token', others.refresh_token, {}, { ...jag.byAgent(), dpop: await prove() })
    expect(await jag.refusalOf(proved)).toEqual(dead)
    expect(await endOf(grantOf(others))).toEqual([{ revoked_reason: null }])
  })

  it('ends nothing for whoever has it without the key that it is bound to, or as another client', async () => {
    const tokens = await jag.signIn()
    await jag.refresh(tokens.refresh_token)
    acme.wait(100)
    await jag.permit(jag.permission({ client: 'gateway' }))
    const { clientId, secret } = acme.gateway
    const gateway = { authorization: `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}` }
    expect(await jag.refusalOf(jag.ask('refresh_token', tokens.refresh_token, {}, gateway))).toMatchObject({
      reason: 'subject_token_of_other_client',
    })
    await jag.permit(jag.permission())
    await acme.owner(
      `UPDATE refresh_tokens SET dpop_jkt = 'another' WHERE tenant_id = $1 AND token_hash = $2`,
      hashOf(tokens.refresh_token),
    )
    expect(await jag.refusalOf(jag.ask('refresh_token', tokens.refresh_token))).toMatchObject({ reason: 'subject_token_of_other_key' })
    expect(await endOf(grantOf(tokens))).toEqual([{ revoked_reason: null }])
  })
})

describe('a refresh token that would get nothing at a refresh', () => {
  it.each([
    {
      why: 'its client may no longer refresh',
      sql: `UPDATE clients SET grant_types = array_remove(grant_types, 'refresh_token') WHERE tenant_id = $1 AND client_id = 'client-of-acme'`,
    },
    { why: 'policy lets its grant be refreshed no longer', sql: 'UPDATE grants SET refresh_ttl_seconds = NULL WHERE tenant_id = $1' },
    { why: 'it is over', sql: 'UPDATE refresh_tokens SET expires_at = created_at WHERE tenant_id = $1' },
    { why: 'those of its grant are over', sql: 'UPDATE grants SET refresh_ends_at = created_at WHERE tenant_id = $1' },
  ])('gets no ID-JAG, because $why', async ({ sql }) => {
    const { refresh_token: token } = await jag.signIn()
    await acme.owner(sql)
    expect(await jag.refusalOf(jag.ask('refresh_token', token))).toEqual(dead)
    await acme.owner(
      `UPDATE clients SET grant_types = array_append(array_remove(grant_types, 'refresh_token'), 'refresh_token') WHERE tenant_id = $1 AND client_id = 'client-of-acme'`,
    )
  })
})

describe('between the two statements', () => {
  /** Just before the statement that would issue. */
  const beforeTheSecond = (act: () => Promise<unknown>): void => {
    let count = 0
    race.before('issue_id_jag', async () => ((count += 1) === 2 ? act() : undefined), 2)
  }
  const asked = (token: unknown) => jag.refusalOf(jag.ask('refresh_token', token, {}, jag.byAgent(), racing.url))

  const permitAtBoth = async (permission: object) => {
    await jag.permit(permission)
    racing.deps.configuration.invalidate()
  }

  it.each([
    { what: 'her grant is revoked', sql: 'UPDATE grants SET revoked_at = created_at, epoch = epoch + 1 WHERE tenant_id = $1' },
    { what: 'she is out', sql: 'UPDATE subjects SET epoch = epoch + 1 WHERE tenant_id = $1' },
    { what: 'her connection is ended', sql: 'UPDATE connections SET epoch = epoch + 1 WHERE tenant_id = $1' },
    { what: 'her tenant is ended', sql: 'UPDATE tenants SET epoch = epoch + 1 WHERE id = $1' },
    { what: 'her token is rotated', sql: "UPDATE refresh_tokens SET rotated_at = created_at + interval '1 hour' WHERE tenant_id = $1" },
  ])('$what, and nothing is issued', async ({ sql }) => {
    const { refresh_token: token } = await jag.signIn()
    beforeTheSecond(() => acme.owner(sql))
    expect(await asked(token)).toEqual(dead)
  })

  it('the permission, her groups or a rule of policy goes, and each is asked again', async () => {
    const { refresh_token: token } = await jag.signIn()
    beforeTheSecond(() => jag.permit())
    expect(await asked(token)).toMatchObject({ reason: 'id_jag_not_allowed' })
    await permitAtBoth(jag.permission())
    beforeTheSecond(() => jag.permit(jag.permission({ scopes: [{ name: 'read', tier: 'sensitive' }] })))
    expect(await asked(token)).toMatchObject({ reason: 'exchange_consent_needed' })
    await permitAtBoth(jag.permission())
    beforeTheSecond(() =>
      acme.owner(
        `UPDATE subjects SET claims_version = claims_version + 1, claims = jsonb_set(claims, '{groups}', '{"state": "known", "names": [], "ids": []}') WHERE tenant_id = $1`,
      ),
    )
    expect(await asked(token)).toMatchObject({ reason: 'exchange_policy_denies' })
    const { refresh_token: fresh } = await jag.signIn()
    beforeTheSecond(() => publish(acme.at.fixture, acme.at.acme, acme.now(), 'version: 1\nrules: []\n'))
    expect(await asked(fresh)).toMatchObject({ reason: 'exchange_policy_denies' })
  })
})
