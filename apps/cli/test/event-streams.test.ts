/** The whole product and a receiver of another maker: whatever ends somebody's access arrives, signed, in words that stand in her tokens. */
import { anSsfReceiver, discover, judging, managing, type SecurityEvent, type SsfReceiver } from '@drawbridge/testkit/an-ssf-receiver'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { anAttempt, logIn, redeem, registerAt } from './a-client.js'
import { aProduct, eventually, type Product } from './a-product.js'

const caep = 'https://schemas.openid.net/secevent/caep/event-type/'
let receiver: SsfReceiver
let product: Product
let judge: (token: string) => Promise<SecurityEvent>
let streams: ReturnType<typeof managing>

beforeAll(async () => {
  receiver = await anSsfReceiver(() => judge)
  receiver.wants('Bearer of-the-receiver')
  product = await aProduct({ DRAWBRIDGE_ALLOWED_ORIGINS: receiver.origin })
  const { id, secret } = product.started.demonstration.resourceCredential
  const managed = { configuration: await discover(product.issuer('acme')), authorization: `Bearer ${id}.${secret}` }
  streams = managing(managed)
  const delivery = { method: 'urn:ietf:rfc:8935', endpoint_url: receiver.endpointUrl, authorization_header: 'Bearer of-the-receiver' }
  const made = await streams.create({ delivery, description: 'pushed' })
  judge = judging(managed, made.body.aud)
}, 120_000)
afterAll(async () => {
  await product?.stop()
  await receiver?.close()
}, 60_000)

async function claimsOfASignIn(): Promise<Record<string, any>> {
  const issuer = product.issuer('acme')
  const clientId = await registerAt(issuer)
  const attempt = anAttempt({ issuer, clientId, resource: product.mcpUrl })
  const { json } = await redeem(attempt, (await logIn(attempt, { name: 'ada' })).page, issuer)
  return JSON.parse(Buffer.from(String(json['access_token']).split('.')[1] ?? '', 'base64url').toString())
}
const arrived = async (is: (event: SecurityEvent) => boolean): Promise<SecurityEvent> => {
  await eventually(async () => receiver.believed.some(is))
  return receiver.believed.find(is) as SecurityEvent
}
const typeOf = ({ events }: SecurityEvent) => Object.keys(events)[0]

it('a verification proves the stream from end to end', async () => {
  const [{ stream_id }] = (await streams.list()).body
  await streams.verify({ stream_id, state: 'from end to end' })
  const event = await arrived((each) => typeOf(each)?.endsWith('/verification') === true)
  expect(Object.values(event.events)).toEqual([{ state: 'from end to end' }])
})

it('one grant that is revoked is named by the person, the gid of its tokens and the tenant', async () => {
  const { sub, gid, tenant, iss } = await claimsOfASignIn()
  expect((await product.admin('POST', `/tenants/acme/grants/${gid}/revoke`, { reason: 'a test' })).status).toBeLessThan(300)
  const event = await arrived(({ sub_id }) => sub_id.session?.id === gid)
  expect(event.sub_id).toEqual({
    ...{ format: 'complex', user: { format: 'iss_sub', iss, sub } },
    ...{ session: { format: 'opaque', id: gid }, tenant: { format: 'opaque', id: tenant } },
  })
  expect(typeOf(event)).toBe(`${caep}session-revoked`)
})

type Receipt = {
  readonly eventId: string
  readonly receivers: readonly { readonly instance: string; readonly acknowledgedAt: string | null }[]
}

it('a person whom the directory switches off is named by sub; the receipt says that the receiver took it, and a poll tells the same', async () => {
  const polled = (await streams.create({ description: 'polled' })).body
  await product.provision('acme')
  const { sub, iat } = await claimsOfASignIn()
  await product.setActive('acme', 'ada', false)
  const event = await arrived(({ sub_id }) => sub_id.sub === sub)
  expect(event.events[`${caep}session-revoked`]).toMatchObject({ initiating_entity: 'admin', reason_admin: { en: expect.any(String) } })
  expect(event.events[`${caep}session-revoked`].event_timestamp).toBeGreaterThanOrEqual(iat)
  const { body } = await streams.poll(polled.delivery.endpoint_url)
  const told = await Promise.all(Object.values(body.sets as Record<string, string>).map((token) => judge(token)))
  expect(told.map(({ txn }) => txn)).toContain(event['txn'])
  await streams.poll(polled.delivery.endpoint_url, { ack: Object.keys(body.sets), maxEvents: 0 })
  const { json } = await product.admin('GET', '/tenants/acme/revocations?receivers=true')
  const receipt = (json['revocations'] as readonly Receipt[]).find(({ eventId }) => eventId === event['txn'])
  const foreign = receipt?.receivers.filter(({ instance }) => instance.startsWith('event stream'))
  expect(foreign?.map(({ acknowledgedAt }) => typeof acknowledgedAt)).toEqual(['string', 'string'])
})

it('nothing of all this was refused', () => {
  expect(receiver.refused).toEqual([])
})
