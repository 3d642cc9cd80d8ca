/** Twenty at once, at three brokers on one database: what may happen once happens once, whoever is asked. */
import { generateKeyPairSync } from 'node:crypto'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Answered, anAttempt, logIn, post, redeem, refreshAt, registerAt } from './a-client.js'
import { anotherBroker, introspect } from './a-fleet.js'
import { aProduct, type Product } from './a-product.js'

const atOnce = 20
let product: Product
let brokers: readonly string[] = []
const stops: (() => Promise<void>)[] = []

beforeAll(async () => {
  product = await aProduct()
  stops.push(() => product.stop())
  const others = [await anotherBroker(product), await anotherBroker(product)]
  stops.unshift(...others.map(({ stop }) => stop))
  brokers = [product.issuer('acme'), ...others.map(({ issuer }) => issuer)]
}, 180_000)
afterAll(async () => {
  for (const stop of stops) await stop()
}, 60_000)

const everywhere = (ask: (at: string) => Promise<Answered>): Promise<Answered[]> =>
  Promise.all(Array.from({ length: atOnce }, (_, nth) => ask(brokers[nth % brokers.length] ?? '')))
const kinds = (answers: readonly Answered[]): Record<string, number> => {
  const counted: Record<string, number> = {}
  for (const { status, json } of answers) {
    const kind = `${status} ${json['error'] ?? json['token_type']}`
    counted[kind] = (counted[kind] ?? 0) + 1
  }
  return counted
}

async function aCode() {
  const issuer = product.issuer('acme')
  const attempt = anAttempt({ issuer, clientId: await registerAt(issuer), resource: product.mcpUrl })
  const { page } = await logIn(attempt, { name: 'ada' })
  return { attempt, page }
}
const liveGrants = async (clientId: string): Promise<number> => {
  const { json } = await product.admin('GET', `/tenants/acme/grants?client=${clientId}`)
  return (json['grants'] as { revokedAt: string | null }[]).filter(({ revokedAt }) => revokedAt === null).length
}

it('one code is redeemed once, and what it brought ends because it was shown again (RFC 6749 §4.1.2)', async () => {
  const { attempt, page } = await aCode()
  const answers = await everywhere((at) => redeem(attempt, page, at))
  expect(kinds(answers)).toEqual({ '200 Bearer': 1, '400 invalid_grant': atOnce - 1 })
  const tokens = answers.find(({ status }) => status === 200)?.json ?? {}
  for (const at of brokers) {
    expect(await introspect(product, at, String(tokens['access_token']))).toBe(false)
    expect(await refreshAt(at, attempt.clientId, tokens['refresh_token'])).toMatchObject({ status: 400, json: { error: 'invalid_grant' } })
  }
  expect(await liveGrants(attempt.clientId)).toBe(0)
})

it('one refresh token has one successor, which everybody gets, and the family lives on', async () => {
  const { attempt, page } = await aCode()
  const { json } = await redeem(attempt, page, product.issuer('acme'))
  const answers = await everywhere((at) => refreshAt(at, attempt.clientId, json['refresh_token']))
  expect(kinds(answers)).toEqual({ '200 Bearer': atOnce })
  const successors = [...new Set(answers.map((answer) => answer.json['refresh_token']))]
  expect(successors).toHaveLength(1)
  expect(successors).not.toContain(json['refresh_token'])
  expect(await liveGrants(attempt.clientId)).toBe(1)
  expect(await refreshAt(brokers[2] ?? '', attempt.clientId, successors[0])).toMatchObject({ status: 200 })
  expect(await introspect(product, brokers[1] ?? '', String(answers[0]?.json['access_token']))).toBe(true)
})

it('one assertion of a client is believed once (RFC 7523 §3 jti)', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const made = await product.admin('POST', '/tenants/acme/clients', {
    name: 'Nightly job',
    grantTypes: ['client_credentials'],
    tokenEndpointAuthMethod: 'private_key_jwt',
    jwks: { keys: [publicKey.export({ format: 'jwk' })] },
    scopeCeiling: ['documents:read'],
  })
  expect(made.status).toBe(201)
  const clientId = String(made.json['clientId'])
  const assertion = await new SignJWT({ jti: 'once' })
    .setProtectedHeader({ alg: 'ES256' })
    .setIssuer(clientId)
    .setSubject(clientId)
    .setAudience(product.issuer('acme'))
    .setExpirationTime('1 minute')
    .sign(privateKey)
  const answers = await everywhere((at) =>
    post(`${at}/token`, {
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
      resource: product.mcpUrl,
    }),
  )
  expect(kinds(answers)).toEqual({ '200 Bearer': 1, '401 invalid_client': atOnce - 1 })
})
