/** What consumes the trip of a login consumes no test, and the other way round; of many with one answer one gets a verdict. */
import { randomUUID } from 'node:crypto'
import { addSeconds, instant } from '@drawbridge/core/instant'
import type {
  AuthorizationRequestId,
  BrowserSessionId,
  CredentialHash,
  LoginRequestId,
  SubjectId,
  TestLoginId,
} from '@drawbridge/core/tenant/ids'
import { hashCredential } from '@drawbridge/crypto/hash'
import { presentVersions } from '@drawbridge/testkit/a-grant'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { asOwner, type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { completeLogin, type LoginToJudge } from './complete-login.js'
import { judgeTestLogin } from './judge-test-login.js'
import { insertLoginRequest } from './login-requests.js'
import { insertTestLogin, insertTestTrip, redeemTestLogin } from './test-logins.js'
import { inTenant, onHotPath } from './transaction.js'

const now = instant(1_800_000_000_000)
let fixture: TestDatabase
let acme: ATenant
let globex: ATenant
beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  globex = await aTenant(fixture, { slug: 'globex' })
})
afterAll(() => fixture.close())

type Trip = { readonly id: LoginRequestId; readonly browserHash: CredentialHash }
const aTrip = (): Trip => ({ id: randomUUID() as LoginRequestId, browserHash: hashCredential(randomUUID()) })
const leaving = () => ({
  upstreamId: randomUUID(),
  sealedState: Buffer.alloc(1),
  freshDemanded: false,
  now,
  expiresAt: addSeconds(now, 600),
})

async function aTestTrip(): Promise<Trip> {
  const [trip, tokenHash, testLoginId] = [aTrip(), hashCredential(randomUUID()), randomUUID() as TestLoginId]
  const { connectionId, tenantId } = acme
  await inTenant(fixture.database, tenantId, async (db) => {
    expect(await insertTestLogin(db, tenantId, { id: testLoginId, connectionId, tokenHash, asked: {}, askedBy: randomUUID(), now })).toBe(
      true,
    )
    expect(await redeemTestLogin(db, tenantId, tokenHash, now)).toBe(true)
    await insertTestTrip(db, tenantId, { ...trip, testLoginId, connectionId, ...leaving() })
  })
  return trip
}

async function aLoginTrip(): Promise<Trip> {
  const { id, browserHash } = aTrip()
  const { connectionId, issuerId, clientId } = acme
  const ongoing = {
    ...{ id: randomUUID() as AuthorizationRequestId, issuerId, clientId, request: {}, step: 'login' as const, connectionId },
    ...{ subjectId: undefined, sessionId: undefined, noticedAt: undefined, stepUps: 0, decision: undefined },
    ...{ clientEpoch: 1, createdAt: now, expiresAt: addSeconds(now, 600), saved: false },
  }
  const request = { ongoing, browserHash, decidedOn: await presentVersions(fixture, acme) }
  await insertLoginRequest(onHotPath(fixture.database), acme.tenantId, request, { id, connectionId, ...leaving() })
  return { id, browserHash }
}

const judging = ({ id, browserHash }: Trip, answer: string = randomUUID()): LoginToJudge => ({
  ...{ id, browserHash, connectionId: acme.connectionId, issuedAt: addSeconds(now, 5), now: addSeconds(now, 6) },
  ...{ replays: [{ kind: 'oidc_id_token', id: answer }], replayableUntil: addSeconds(now, 600), scimLink: undefined },
  addresses: { claimed: [], own: undefined },
  subject: { stableId: 'newcomer' },
  session: { authenticatedAt: undefined },
})
const judge = (trip: Trip, answer?: string, tenant = acme) =>
  judgeTestLogin(onHotPath(fixture.database), tenant.tenantId, judging(trip, answer))
const complete = (trip: Trip, answer?: string) => {
  const login = judging(trip, answer)
  const session = { id: randomUUID() as BrowserSessionId, handleHash: hashCredential(randomUUID()), acr: undefined, amr: [] }
  return completeLogin(onHotPath(fixture.database), acme.tenantId, {
    ...login,
    issuerId: acme.issuerId,
    subject: { id: randomUUID() as SubjectId, stableId: 'newcomer', claims: {} },
    session: {
      ...session,
      ...{
        authenticatedAt: undefined,
        idpSession: {},
        idpSessionNames: undefined,
        sealedLogoutHint: undefined,
        expiresAt: addSeconds(now, 600),
      },
    },
    ...{ previousHandleHash: undefined, requestId: 'r', address: '::1' },
  })
}
const countOf = async (what: string, ...parameters: unknown[]) =>
  (await asOwner<{ n: number }>(fixture.ownerUrl, `SELECT count(*)::int AS n FROM ${what}`, parameters))[0]?.n
const isOpen = ({ id }: Trip) => countOf('login_requests WHERE id = $1 AND consumed_at IS NULL', id)

it('the statement of a login consumes no trip of a test, and writes nothing for one', async () => {
  const trip = await aTestTrip()
  const before = [await countOf('subjects'), await countOf('replays'), await countOf('audit_events')]
  expect(await complete(trip)).toEqual({ kind: 'refused', reason: 'login_replayed' })
  expect([await countOf('subjects'), await countOf('replays'), await countOf('audit_events')]).toEqual(before)
  expect(await isOpen(trip)).toBe(1)
  expect(await judge(trip)).toMatchObject({ refusal: undefined, mode: 'just_in_time', isKnown: false })
})

it('the statement of a test consumes no trip of a login', async () => {
  const trip = await aLoginTrip()
  expect(await judge(trip)).toBeUndefined()
  expect(await isOpen(trip)).toBe(1)
  expect((await complete(trip)).kind).toBe('believed')
})

it('what a test has used up is used up for logins, and the other way round', async () => {
  const answer = randomUUID()
  expect((await judge(await aTestTrip(), answer))?.refusal).toBeUndefined()
  expect(await complete(await aLoginTrip(), answer)).toEqual({ kind: 'refused', reason: 'login_replayed' })
  expect((await judge(await aTestTrip(), answer))?.refusal).toBe('login_replayed')
})

it('of twenty with one answer, one gets a verdict; in another browser or tenant none does', async () => {
  const trip = await aTestTrip()
  expect(await judge({ ...trip, browserHash: hashCredential('another') })).toBeUndefined()
  expect(await judge(trip, undefined, globex)).toBeUndefined()
  const verdicts = await Promise.all(Array.from({ length: 20 }, () => judge(trip)))
  expect(verdicts.filter((verdict) => verdict !== undefined)).toHaveLength(1)
})

it('a barrier ends the trip of a test, too', async () => {
  const trip = await aTestTrip()
  await asOwner(fixture.ownerUrl, 'UPDATE connections SET epoch = epoch + 1 WHERE id = $1', [acme.connectionId])
  expect(await judge(trip)).toBeUndefined()
})
