/**
 * The whole product and its front issuer, as others meet it: a receiver of security events and an OpenID client that nobody here wrote, and an application that is
 * told of logouts. Each hears what ended at which company.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { anSsfReceiver, discover, judging, managing, type SecurityEvent, type SsfReceiver } from '@drawbridge/testkit/an-ssf-receiver'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import * as openid from 'openid-client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aBrowser, anAttempt, redeem, redirectUri, registerAt, walk } from './a-client.js'
import { aFrontIssuer } from './a-front-issuer.js'
import { aProduct, type Company, eventually, type Product } from './a-product.js'

const afterwards = `${redirectUri}?signed=out`
const logoutTokens: string[] = []
const application = createServer((request, response) => {
  let body = ''
  request.on('data', (chunk: Buffer) => {
    body += chunk.toString('utf8')
  })
  request.on('end', () => {
    logoutTokens.push(new URLSearchParams(body).get('logout_token') ?? '')
    response.writeHead(200).end()
  })
})
let receiver: SsfReceiver
let product: Product
let clientId: string
let judge: (token: string) => Promise<SecurityEvent>

beforeAll(async () => {
  receiver = await anSsfReceiver(() => judge)
  receiver.wants('Bearer of-the-receiver')
  await new Promise<void>((resolve) => application.listen(0, '127.0.0.1', resolve))
  const told = `http://127.0.0.1:${(application.address() as AddressInfo).port}`
  product = await aProduct({ DRAWBRIDGE_ALLOWED_ORIGINS: `${receiver.origin},${told}` })
  await aFrontIssuer(product)
  clientId = await registerAt(product.publicUrl, {
    ...{ redirect_uris: [redirectUri], post_logout_redirect_uris: [afterwards], backchannel_logout_uri: `${told}/logout` },
  })
  const { id, secret } = product.started.demonstration.resourceCredential
  const managed = { configuration: await discover(product.publicUrl), authorization: `Bearer ${id}.${secret}` }
  const delivery = { method: 'urn:ietf:rfc:8935', endpoint_url: receiver.endpointUrl, authorization_header: 'Bearer of-the-receiver' }
  const made = await managing(managed).create({ delivery, description: 'pushed' })
  judge = judging(managed, made.body.aud)
}, 120_000)
afterAll(async () => {
  await product?.stop()
  await receiver?.close()
  application.close()
}, 60_000)

async function signIn(company: Company, name: string, browser = aBrowser()) {
  const asked = {
    issuer: product.publicUrl,
    clientId,
    resource: product.mcpUrl,
    redirectUri: redirectUri,
    scope: 'openid documents:read',
  }
  const attempt = anAttempt(asked)
  const { page } = await walk(await browser.open(attempt.url), { name, company })
  const { json } = await redeem(attempt, page, product.publicUrl)
  const { sub, sid, gid } = decodeJwt(String(json['access_token']))
  return { browser, sub, sid, gid, idToken: String(json['id_token']) }
}
const arrived = async (is: (event: SecurityEvent) => boolean): Promise<SecurityEvent> => {
  await eventually(async () => receiver.believed.some(is))
  return receiver.believed.find(is) as SecurityEvent
}

type Receipt = { readonly eventId: string; readonly deadAt: string | null; readonly receivers: readonly { readonly instance: string }[] }

it('whom the directory of one company switches off, the one stream names with that company, whose receipt says that the receiver took it', async () => {
  await product.provision('acme')
  const [ada, other] = [await signIn('acme', 'ada'), await signIn('globex', 'ada')]
  await product.setActive('acme', 'ada', false)
  const event = await arrived(({ sub_id }) => sub_id.sub === ada.sub)
  expect(event).toMatchObject({ iss: product.publicUrl, tenant: 'acme', sub_id: { format: 'iss_sub', iss: product.publicUrl } })
  const receiptOf = async () => {
    const { json } = await product.admin('GET', '/tenants/acme/revocations?receivers=true')
    return (json['revocations'] as readonly Receipt[]).find(({ eventId }) => eventId === event['txn'])
  }
  await eventually(async () => typeof (await receiptOf())?.deadAt === 'string')
  expect((await receiptOf())?.receivers.map(({ instance }) => instance)).toContainEqual(expect.stringMatching(/^event stream /))
  expect(receiver.believed.some(({ sub_id }) => JSON.stringify(sub_id).includes(String(other.sub)))).toBe(false)
})

it('openid-client signs a person out of her company, by way of its OpenID provider, and has her back; everybody is told by the front', async () => {
  const lena = await signIn('globex', 'lena')
  const config = await openid.discovery(new URL(product.publicUrl), clientId, undefined, openid.None(), {
    execute: [openid.allowInsecureRequests],
  })
  const url = openid.buildEndSessionUrl(config, { id_token_hint: lena.idToken, post_logout_redirect_uri: afterwards, state: 'back' })
  const atProvider = await lena.browser.open(url.href)
  expect(atProvider.text).toContain('Sign out of the company?')
  const home = await atProvider.form('op.logoutForm').submit({ logout: 'yes' })
  expect(home.url).toBe(`${afterwards}&state=back`)

  await eventually(async () => logoutTokens.some((token) => decodeJwt(token).sub === lena.sub))
  const metadata = (await (await fetch(`${product.publicUrl}/.well-known/openid-configuration`)).json()) as Record<string, string>
  const keys = createRemoteJWKSet(new URL(metadata['jwks_uri'] ?? ''))
  const expected = { issuer: product.publicUrl, audience: clientId, typ: 'logout+jwt', algorithms: ['ES256'] }
  const told = logoutTokens.find((token) => decodeJwt(token).sub === lena.sub) ?? ''
  expect((await jwtVerify(told, keys, expected)).payload).toMatchObject({ sub: lena.sub, sid: lena.sid })

  const event = await arrived(({ sub_id }) => sub_id.user?.sub === lena.sub)
  expect(event).toMatchObject({ iss: product.publicUrl, tenant: 'globex', sub_id: { format: 'complex', tenant: { id: 'globex' } } })
  expect([lena.sid, lena.gid]).toContain(event.sub_id.session.id)
})

it('nothing of all this was refused', () => {
  expect(receiver.refused).toEqual([])
})
