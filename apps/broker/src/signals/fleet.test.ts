/** Many guards of one resource server behind one address, at limits as they are in production, while strangers come from there, too. */
import { createGuard, type Guard } from '@drawbridge/guard/create-guard'
import { asOwner } from '@drawbridge/testkit/database'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aGuardOf, aNoticingBroker, ids, type NoticingBroker, random, resource, secret } from '../../test/a-noticing-broker.js'
import { type RateLimitName, rateLimits } from '../http/rate-limit.js'

const guards = 100
const revocations = 8
let broker: NoticingBroker
let hand: ReturnType<typeof aGuardOf>
beforeAll(async () => {
  // Nothing runs off a limit: what strangers have used up once stays so.
  broker = await aNoticingBroker([], { standsStill: true })
  hand = aGuardOf(broker)
})
afterAll(() => broker.close())

async function useUp(limit: RateLimitName, ask: () => Promise<{ readonly status: number }>): Promise<void> {
  const most = rateLimits[limit].burst + 100
  for (let asked = 0; asked < most; asked += 100) {
    const answers = await Promise.all(Array.from({ length: 100 }, ask))
    if (answers.some(({ status }) => status === 429)) return
  }
  throw new Error(`${limit} was never used up`)
}
async function askUnread(path: string, init?: RequestInit): Promise<{ readonly status: number }> {
  const answer = await fetch(`${broker.issuer}${path}`, init)
  await answer.body?.cancel()
  return answer
}
const anything = () => askUnread('/.well-known/ssf-configuration')
const aForgedPoll = () => askUnread('/ssf/poll', { method: 'POST', headers: { Authorization: 'Bearer forged' }, body: '{}' })

it('no guard of a fleet is turned away or misses a revocation, whatever strangers ask at its address', async () => {
  const troubles: string[] = []
  const fleet = Array.from(
    { length: guards },
    (): Guard =>
      createGuard({
        ...{ resource, toolScopes: {}, onDeaf: 'refuse', onTrouble: (_issuer, trouble) => troubles.push(trouble) },
        issuers: [{ issuer: broker.issuer, credential: { id: ids.credential, secret } }],
      }),
  )
  await useUp('address', anything)
  await hand.open()
  await useUp('resource_server_address', aForgedPoll)
  await Promise.all(fleet.map((guard) => guard.start()))
  for (let count = 0; count < revocations; count += 1) await broker.revoke(`leaver ${count}`, 2)
  const heard = () =>
    asOwner<{ by: number }>(
      broker.fixture.ownerUrl,
      'SELECT count(*)::int AS by FROM notice_streams s WHERE EXISTS (SELECT 1 FROM notice_receipts r WHERE r.stream_id = s.id) AND NOT EXISTS (SELECT 1 FROM notice_receipts r WHERE r.stream_id = s.id AND r.acknowledged_at IS NULL)',
    )
  for (let tries = 0; tries < 1000 && (await heard())[0]?.by !== guards; tries += 1) await new Promise((resolve) => setTimeout(resolve, 20))
  expect([troubles, await heard()]).toEqual([[], [{ by: guards }]])
  expect([(await anything()).status, (await aForgedPoll()).status]).toEqual([429, 429])
  await Promise.all(fleet.map((guard) => guard.stop()))
}, 120_000)

type Answered = Awaited<ReturnType<typeof hand.poll>>
/** What runs off meanwhile is little; how many answers came before is left to the other tests of limits. */
async function untilTurnedAway(
  ask: () => Promise<Answered>,
): Promise<{ readonly before: readonly number[]; readonly turnedAway: Answered }> {
  const before: number[] = []
  while (before.length < 100) {
    const answer = await ask()
    if (answer.status === 429) return { before, turnedAway: answer }
    before.push(answer.status)
  }
  throw new Error('it was never turned away')
}
async function withLimits(factor: number, use: (small: NoticingBroker) => Promise<void>): Promise<void> {
  const small = await aNoticingBroker([], { rateLimitFactor: factor })
  await use(small).finally(() => small.close())
}

it('a resource server has a limit of its own, whatever address it comes from, and another pays nothing for it', () =>
  withLimits(0.002, async (small) => {
    const one = aGuardOf(small)
    const { streamId } = await one.open()
    const { before, turnedAway } = await untilTurnedAway(() => one.poll(streamId))
    expect([new Set(before), Number(turnedAway.headers.get('retry-after'))]).toEqual([new Set([200]), 1])
    small.later(3600)
    const other = { instance: random.uuid() }
    expect((await one.post('/ssf/streams', other, `${ids.sharedCredential}:${secret}`)).status).toBe(201)
    await untilTurnedAway(() => one.poll(streamId))
    expect((await one.post('/ssf/streams', other, `${ids.sharedCredential}:${secret}`)).status).toBe(201)
  }))

it('a credential that is revoked counts for its address again, from its first refusal on', () =>
  withLimits(0.002, async (small) => {
    const one = aGuardOf(small)
    const { streamId } = await one.open()
    await asOwner(small.fixture.ownerUrl, 'UPDATE resource_credentials SET revoked_at = now() WHERE id = $1', [ids.credential])
    const { before } = await untilTurnedAway(() => one.poll(streamId))
    expect(new Set(before)).toEqual(new Set([401]))
  }))
