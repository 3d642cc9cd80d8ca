/** The races of `races-at-brokers` at three brokers with connections and memory of their own, and what only here has somebody to be asked of. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { logIn, post } from './a-client.js'
import { anotherBroker, introspect } from './a-fleet.js'
import { aFrontIssuer } from './a-front-issuer.js'
import { aMachineAt, companyAt, isFront, issuerOf, namedTenant, type Place, someone } from './a-place.js'
import { aProduct, type Product } from './a-product.js'
import { type AFrontAgent, aFrontAgentOf } from './an-agent.js'
import { codeIn, describeRaces, kinds, type RacedBrokers, twentyAt } from './races-at-brokers.js'

const places = ['acme', 'front for acme'] as const satisfies readonly Place[]
let product: Product
let fleet: readonly string[]
let agent: AFrontAgent
const stops: (() => Promise<void>)[] = []

beforeAll(async () => {
  product = await aProduct()
  stops.push(() => product.stop())
  await aFrontIssuer(product)
  agent = await aFrontAgentOf(product, 'acme')
  const others = [await anotherBroker(product), await anotherBroker(product)]
  stops.unshift(...others.map(({ stop }) => stop))
  fleet = [product.publicUrl, ...others.map(({ issuer }) => new URL(issuer).origin)]
}, 180_000)
afterAll(async () => {
  for (const stop of stops) await stop()
}, 60_000)

const brokersOf = (place: Place): RacedBrokers => ({
  issuer: issuerOf(product, place),
  at: fleet.map((origin) => (isFront(place) ? origin : `${origin}/t/${place}`)),
  resource: product.mcpUrl,
  signIn: async (attempt) => codeIn((await logIn(attempt, someone(place, 'ada'))).page),
  admin: (method, path, body) => product.admin(method, `/tenants/${companyAt(place)}${path}`, body),
  aMachine: async (over) => ({ ...(await aMachineAt(product, place, product.mcpUrl, over)), says: namedTenant(place) }),
  isActive: (at, token) => introspect(product, at, token),
})

describe.each(places)('at %s', (place) => {
  describeRaces(() => brokersOf(place))

  it('one assertion of a trusted issuer is redeemed once (MCP Enterprise-Managed Authorization, jti)', async () => {
    const { secret, assert } = isFront(place) ? agent.atFront : agent
    const authorization = `Basic ${Buffer.from(`${agent.id}:${secret}`).toString('base64')}`
    const form = { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: await assert() }
    const answers = await twentyAt(brokersOf(place).at, (at) => post(`${at}/token`, form, { authorization }))
    expect(kinds(answers)).toEqual({ '200 Bearer': 1, '400 invalid_grant': 19 })
  })
})
