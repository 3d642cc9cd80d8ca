import { randomBytes, randomUUID } from 'node:crypto'
import { addSeconds, type Instant, instant } from '@drawbridge/core/instant'
import { approvedCodeTtlSeconds, deviceRedirectUri, judgeDevicePoll, mostOpenDeviceCodes } from '@drawbridge/core/oauth/device-code'
import type { PendingDeviceRequest } from '@drawbridge/core/oauth/pending-request'
import { userCodeGuesses } from '@drawbridge/core/oauth/user-code'
import type { ClientId, CredentialHash, DeviceCodeId, IssuerId } from '@drawbridge/core/tenant/ids'
import { aGrant, hashOf, presentVersions } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { declineDevice, findWaitingDevice, guessUserCode, insertDeviceCode, type PollDeviceCode, pollDeviceCode } from './device-codes.js'
import { onHotPath } from './transaction.js'

const now = instant(1_800_000_000_000)
const later = addSeconds(now, 900)
const asked = { requestId: 'test', address: '127.0.0.1' }
const patienceMs = 120_000
let fixture: TestDatabase
let acme: ATenant
let globex: ATenant

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  globex = await aTenant(fixture, { slug: 'globex' })
  await sql('UPDATE tenants SET device_grant = true')
})
afterAll(() => fixture.close())

const sql = <Row = Record<string, unknown>>(text: string, parameters: readonly unknown[] = []) =>
  asOwner<Row>(fixture.ownerUrl, text, parameters)
const count = async (from: string, parameters: readonly unknown[] = []) =>
  (await sql<{ n: number }>(`SELECT count(*)::int AS n FROM ${from}`, parameters))[0]?.n
const hot = () => onHotPath(fixture.database)

type Device = { readonly id: DeviceCodeId; readonly deviceCode: string; readonly userCodeHash: CredentialHash }
const callerOf = async (tenant: ATenant) => ({
  issuerId: tenant.issuerId,
  clientId: tenant.clientId,
  clientVersion: (await presentVersions(fixture, tenant)).clientVersion,
})

async function ask(tenant = acme, userCodeHash = randomBytes(32) as unknown as CredentialHash) {
  const device: Device = { id: randomUUID() as DeviceCodeId, deviceCode: `dbv_${randomUUID()}`, userCodeHash }
  const inserted = await insertDeviceCode(hot(), tenant.tenantId, {
    id: device.id,
    caller: await callerOf(tenant),
    deviceCodeHash: hashOf(device.deviceCode),
    userCodeHash,
    request: { deviceCodeId: device.id } as PendingDeviceRequest,
    address: '127.0.0.1',
    country: undefined,
    now,
    expiresAt: later,
  })
  return { ...device, inserted }
}

/** As the flow of the person does it, through the statement that opens a grant. */
async function approve({ id, deviceCode }: Device, tenant = acme, at = now) {
  const authorizationRequestId = randomUUID()
  await sql(
    `INSERT INTO authorization_requests (tenant_id, id, issuer_id, client_id, browser_hash, request, step, tenant_epoch, client_epoch, created_at, expires_at)
     VALUES ($1, $2, $3, $4, '\\x00', '{}', 'consent', 1, 1, $5, $6)`,
    [tenant.tenantId, authorizationRequestId, tenant.issuerId, tenant.clientId, new Date(now), new Date(addSeconds(now, 9999))],
  )
  return aGrant(fixture, tenant, { now: at, device: { id, deviceCode, authorizationRequestId } })
}

async function poll({ deviceCode }: Pick<Device, 'deviceCode'>, at = now, change: Partial<PollDeviceCode> = {}, tenant = acme) {
  return pollDeviceCode(hot(), {
    tenantId: tenant.tenantId,
    deviceCodeHash: hashOf(deviceCode),
    presented: {
      ...(await callerOf(tenant)),
      redirectUri: deviceRedirectUri,
      codeChallenge: hashOf(deviceCode).toString('base64url'),
      resource: undefined,
      provenKey: undefined,
    },
    bindsRefreshTokens: false,
    refreshTokenHash: randomBytes(32) as unknown as CredentialHash,
    redecision: undefined,
    proofNotNeededBy: undefined,
    isCounted: false,
    eventId: randomUUID(),
    now: at,
    asked,
    ...change,
  })
}

describe('a device code', () => {
  it('is redeemed by one poll, with its refresh token and its lines in the trail', async () => {
    const device = await ask()
    expect(await poll(device)).toEqual({ kind: 'refused', reason: 'device_pending' })
    const { grantId, opened } = await approve(device)
    expect(opened).toBe(true)
    expect(await poll(device, addSeconds(now, 5))).toMatchObject({ kind: 'redeemed', refreshes: true, grant: { grant_id: grantId } })
    expect(await count("audit_events WHERE grant_id = $1 AND kind IN ('grant_opened', 'code_redeemed')", [grantId])).toBe(2)
  })

  it('polled by twenty at once yields one set of tokens, and the others are told to slow down', async () => {
    const device = await ask()
    const { grantId } = await approve(device)
    const answers = await Promise.all(Array.from({ length: 20 }, () => poll(device)))
    expect(answers.filter(({ kind }) => kind === 'redeemed')).toHaveLength(1)
    expect(answers.filter((answer) => answer.kind === 'refused' && answer.reason === 'device_polled_early')).toHaveLength(19)
    expect(await count('refresh_tokens WHERE grant_id = $1', [grantId])).toBe(1)
    expect(await count('grants WHERE id = $1 AND revoked_at IS NULL', [grantId])).toBe(1)
  })

  it('presented again after its tokens were given revokes them, so that every guard hears of it', async () => {
    const device = await ask()
    const { grantId } = await approve(device)
    await poll(device)
    expect(await poll(device, addSeconds(now, 5))).toEqual({ kind: 'refused', reason: 'code_replayed' })
    expect(await count("grants WHERE id = $1 AND revoked_reason = 'code_replayed'", [grantId])).toBe(1)
    expect(await count("outbox WHERE payload->>'targetId' = $1::text", [grantId])).toBe(1)
  })

  it('is worth nothing after the time that a device has to poll once more', async () => {
    const device = await ask()
    await approve(device)
    expect(await poll(device, addSeconds(now, approvedCodeTtlSeconds))).toEqual({ kind: 'refused', reason: 'device_code_expired' })
  })

  it('is answered once: of ten that say yes together one opens a grant', async () => {
    const device = await ask()
    const opened = await Promise.all(Array.from({ length: 10 }, () => approve(device)))
    expect(opened.filter((one) => one.opened)).toHaveLength(1)
    const grants = opened.map(({ grantId }) => grantId)
    expect(await count('grants WHERE id = ANY ($1)', [grants])).toBe(1)
  })

  it('opens nothing once it was declined, or its time is over', async () => {
    const declined = await ask()
    const no = { id: declined.id, issuerId: acme.issuerId, now, asked }
    const both = await Promise.all([declineDevice(hot(), acme.tenantId, no), declineDevice(hot(), acme.tenantId, no)])
    expect(both.filter(Boolean)).toHaveLength(1)
    expect((await approve(declined)).opened).toBe(false)
    expect((await approve(await ask(), acme, later)).opened).toBe(false)
  })

  it('of one tenant is unknown at another, by either of its codes', async () => {
    const device = await ask()
    expect(await poll(device, now, {}, globex)).toEqual({ kind: 'refused', reason: 'device_code_unknown' })
    const at = { id: device.id, issuerId: globex.issuerId, now }
    expect(await findWaitingDevice(hot(), globex.tenantId, at)).toBeUndefined()
    expect(await findWaitingDevice(hot(), acme.tenantId, { ...at, issuerId: acme.issuerId })).toMatchObject({ id: device.id })
  })

  it('is not given to a second device while one has it', async () => {
    const { userCodeHash } = await ask()
    expect((await ask(acme, userCodeHash)).inserted).toBe('user_code_taken')
  })

  it('is given to no client that has changed, and where devices may not ask to none', async () => {
    const tenant = await aTenant(fixture, { slug: 'initech' })
    expect((await ask(tenant)).inserted).toBe('device_grant_off')
    const stale = await callerOf(tenant)
    await sql('UPDATE clients SET name = name WHERE tenant_id = $1', [tenant.tenantId])
    const draft = {
      id: randomUUID() as DeviceCodeId,
      deviceCodeHash: hashOf('x'),
      userCodeHash: hashOf('y'),
      request: {} as PendingDeviceRequest,
    }
    const given = { ...draft, caller: stale, address: '127.0.0.1', country: undefined, now, expiresAt: later }
    expect(await insertDeviceCode(hot(), tenant.tenantId, given)).toBe('client_changed')
  })

  it('is not given while too many of its client wait for an answer', async () => {
    const tenant = await aTenant(fixture, { slug: 'umbrella' })
    await sql('UPDATE tenants SET device_grant = true WHERE id = $1', [tenant.tenantId])
    await sql(
      `INSERT INTO device_codes (tenant_id, id, issuer_id, client_id, device_code_hash, user_code_hash, request, tenant_epoch, client_epoch, interval_seconds, created_at, expires_at)
       SELECT $1, gen_random_uuid(), $2, $3, sha256(('d' || n)::bytea), sha256(('u' || n)::bytea), '{}', 1, 1, 5, $4, $5 FROM generate_series(1, $6::int) n`,
      [tenant.tenantId, tenant.issuerId, tenant.clientId, new Date(now), new Date(later), mostOpenDeviceCodes],
    )
    expect((await ask(tenant)).inserted).toBe('open_device_codes_full')
    await sql("UPDATE device_codes SET decided_at = created_at WHERE tenant_id = $1 AND user_code_hash = sha256('u1'::bytea)", [
      tenant.tenantId,
    ])
    expect((await ask(tenant)).inserted).toBe('inserted')
  })
})

describe('a user code that somebody types', () => {
  const nobodys = hashOf('nobodys')
  const guess = (hash: CredentialHash, from: string, tenant: ATenant, at: Instant = now) =>
    guessUserCode(hot(), tenant.tenantId, {
      hashes: [hash],
      issuerId: tenant.issuerId,
      guesser: from,
      now: at,
      lockedUntil: addSeconds(at, userCodeGuesses.lockSeconds),
      mostWrongTogether: userCodeGuesses.mostWrongOfTenant,
      asked,
    })
  const company = async (slug: string) => {
    const tenant = await aTenant(fixture, { slug })
    await sql('UPDATE tenants SET device_grant = true WHERE id = $1', [tenant.tenantId])
    return tenant
  }

  it('finds its device, and counts as no guess however often', async () => {
    const tenant = await company('right')
    const { id, userCodeHash } = await ask(tenant)
    for (let n = 0; n < userCodeGuesses.mostWrongOfAddress + 2; n += 1)
      expect(await guess(userCodeHash, '192.0.2.1', tenant)).toMatchObject({ kind: 'found', device: { id, askedAddress: '127.0.0.1' } })
  })

  it('finds its device under whichever key it was kept', async () => {
    const tenant = await company('keys')
    const { id, userCodeHash } = await ask(tenant)
    const found = await guessUserCode(hot(), tenant.tenantId, {
      ...{ hashes: [nobodys, userCodeHash], issuerId: tenant.issuerId, guesser: '192.0.2.1', now, lockedUntil: later, asked },
      mostWrongTogether: userCodeGuesses.mostWrongOfTenant,
    })
    expect(found).toMatchObject({ kind: 'found', device: { id } })
  })

  it('locks its address when it was wrong too often, however many come at once; a right one is not told then', async () => {
    const tenant = await company('locked')
    const { userCodeHash } = await ask(tenant)
    const answers = await Promise.all(Array.from({ length: 30 }, () => guess(nobodys, '192.0.2.1', tenant)))
    expect(answers.filter(({ kind }) => kind === 'unknown')).toHaveLength(userCodeGuesses.mostWrongOfAddress)
    expect(answers.filter(({ kind }) => kind === 'locked')).toHaveLength(30 - userCodeGuesses.mostWrongOfAddress)
    expect(await guess(userCodeHash, '192.0.2.1', tenant)).toEqual({ kind: 'locked', until: addSeconds(now, userCodeGuesses.lockSeconds) })
    expect(await guess(userCodeHash, '192.0.2.2', tenant)).toMatchObject({ kind: 'found' })
    expect(
      await count("audit_events WHERE tenant_id = $1 AND kind = 'device_guesses_locked' AND detail->>'of' = 'address'", [tenant.tenantId]),
    ).toBe(1)
    const over = addSeconds(now, userCodeGuesses.lockSeconds)
    expect(await guess(userCodeHash, '192.0.2.1', tenant, over)).toMatchObject({ kind: 'found' })
  })

  it('locks the tenant when it was wrong too often from anywhere, and no other tenant', async () => {
    const tenant = await company('many')
    const { userCodeHash } = await ask(tenant)
    for (let n = 0; n < userCodeGuesses.mostWrongOfTenant; n += 1) await guess(nobodys, `192.0.2.${n}`, tenant)
    expect(await guess(userCodeHash, '198.51.100.1', tenant)).toMatchObject({ kind: 'locked' })
    expect(
      await count("audit_events WHERE tenant_id = $1 AND kind = 'device_guesses_locked' AND detail->>'of' = 'tenant'", [tenant.tenantId]),
    ).toBe(1)
    const device = await ask()
    expect(await guess(device.userCodeHash, '198.51.100.1', acme)).toMatchObject({ kind: 'found' })
  })

  it('of an answered device, after a barrier, or where devices may not ask any more, is nobody’s', async () => {
    const tenant = await company('gone')
    const declined = await ask(tenant)
    await declineDevice(hot(), tenant.tenantId, { id: declined.id, issuerId: tenant.issuerId, now, asked })
    expect(await guess(declined.userCodeHash, '192.0.2.1', tenant)).toEqual({ kind: 'unknown' })
    const { userCodeHash } = await ask(tenant)
    const changes = ['UPDATE tenants SET device_grant = false', 'UPDATE tenants SET device_grant = true, epoch = epoch + 1']
    for (const change of changes) {
      await sql(`${change} WHERE id = $1`, [tenant.tenantId])
      expect(await guess(userCodeHash, '192.0.2.1', tenant)).toEqual({ kind: 'unknown' })
    }
    const fresh = await ask(tenant)
    await sql('UPDATE clients SET epoch = epoch + 1 WHERE tenant_id = $1', [tenant.tenantId])
    expect(await guess(fresh.userCodeHash, '192.0.2.1', tenant)).toEqual({ kind: 'unknown' })
  })
})

/** One state of the world, told both to the database and to the rule. */
const calm = {
  clientChanged: false,
  otherIssuer: false,
  otherClient: false,
  off: false,
  suspended: false,
  blocked: false,
  tenantEpoch: 1,
  clientEpoch: 1,
  decided: undefined as 'yes' | 'no' | undefined,
  expired: false,
  polledAgo: undefined as number | undefined,
  intervalSeconds: 5,
}
type World = typeof calm
const conditions: readonly Partial<World>[] = [
  { clientChanged: true },
  { otherIssuer: true },
  { otherClient: true },
  { off: true },
  { suspended: true },
  { blocked: true },
  { tenantEpoch: 2 },
  { clientEpoch: 2 },
  { decided: 'yes' },
  { decided: 'no' },
  { expired: true },
  { polledAgo: 0 },
  { polledAgo: 3.999 },
  { polledAgo: 4 },
  { polledAgo: 5, intervalSeconds: 10 },
]

test(
  'a poll is judged alike by the statement and by the rule',
  async () => {
    const tenant = await aTenant(fixture, { slug: 'judged' })
    const elsewhere = randomUUID() as IssuerId
    await sql(
      `WITH i AS (INSERT INTO issuers (tenant_id, id, url, kind, created_at) VALUES ($1, $2, 'https://elsewhere.example', 'tenant', $3) RETURNING id)
       INSERT INTO clients (tenant_id, issuer_id, client_id, kind, name, redirect_uris, grant_types, token_endpoint_auth_method, scope_ceiling, created_at)
       SELECT c.tenant_id, at.issuer_id, at.client_id, c.kind, c.name, '{}', '{}', 'none', '{}', $3
       FROM clients c, (SELECT $5::uuid AS issuer_id, 'other' AS client_id UNION ALL SELECT i.id, 'other' FROM i UNION ALL SELECT i.id, $4 FROM i) at
       WHERE c.tenant_id = $1 AND c.client_id = $4`,
      [tenant.tenantId, elsewhere, new Date(now), tenant.clientId, tenant.issuerId],
    )
    await sql('UPDATE tenants SET device_grant = true WHERE id = $1', [tenant.tenantId])
    const device = await ask(tenant)
    await approve(device, tenant)
    const [{ code_hash: codeHash } = { code_hash: undefined }] = await sql('SELECT code_hash FROM device_codes WHERE id = $1', [device.id])
    const worlds = conditions.flatMap((one, at) => conditions.slice(at).map((other): World => ({ ...calm, ...one, ...other })))
    for (const world of worlds) {
      const at = (when: boolean) => (when ? new Date(now) : null)
      const versions = await sql<{ issuerId: IssuerId; clientId: ClientId; clientVersion: number }>(
        `WITH t AS (UPDATE tenants SET device_grant = $2, suspended_at = $3, epoch = $4 WHERE id = $1),
          c AS (UPDATE authorization_codes SET redeemed_at = NULL WHERE tenant_id = $1),
          g AS (UPDATE grants SET tenant_epoch = $4, client_epoch = $6 WHERE tenant_id = $1),
          d AS (UPDATE device_codes SET decided_at = $8, code_hash = $9, expires_at = $10, polled_at = $11, interval_seconds = $12 WHERE tenant_id = $1)
         UPDATE clients SET blocked_at = $5, epoch = $6 WHERE tenant_id = $1 AND $7::text IS NOT NULL
         RETURNING issuer_id AS "issuerId", client_id AS "clientId", version::int AS "clientVersion"`,
        [
          ...[tenant.tenantId, !world.off, at(world.suspended), world.tenantEpoch, at(world.blocked), world.clientEpoch, 'all'],
          ...[at(world.decided !== undefined), world.decided === 'yes' ? codeHash : null, new Date(world.expired ? now : later)],
          ...[world.polledAgo === undefined ? null : new Date(now - world.polledAgo * 1000), world.intervalSeconds],
        ],
      )
      const issuerId = world.otherIssuer ? elsewhere : tenant.issuerId
      const clientId = world.otherClient ? ('other' as ClientId) : tenant.clientId
      const found = versions.find((one) => one.issuerId === issuerId && one.clientId === clientId)
      if (!found) throw new Error('no such client was arranged')
      const caller = { ...found, clientVersion: found.clientVersion - (world.clientChanged ? 1 : 0) }
      const presented = { ...caller, redirectUri: deviceRedirectUri, codeChallenge: hashOf(device.deviceCode).toString('base64url') }
      const said = await poll(device, now, { presented: { ...presented, resource: undefined, provenKey: undefined } }, tenant)
      const verdict = judgeDevicePoll(
        {
          issuerId: tenant.issuerId,
          clientId: tenant.clientId,
          caller: found,
          isOffered: !world.off,
          isAboveBarrier: !world.suspended && !world.blocked && world.tenantEpoch === 1 && world.clientEpoch === 1,
          decided: world.decided,
          expiresAt: world.expired ? now : later,
          polledAt: world.polledAgo === undefined ? undefined : instant(now - world.polledAgo * 1000),
          intervalSeconds: world.intervalSeconds,
        },
        caller,
        now,
      )
      const told = said.kind === 'refused' ? said.reason : said.kind === 'redeemed' ? 'redeem' : said.kind
      expect({ world, told }).toEqual({ world, told: verdict })
    }
  },
  patienceMs,
)
