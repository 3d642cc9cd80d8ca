/** The races of `races-at-brokers` at three brokers with connections and memory of their own, and what only here has somebody to be asked of. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { logIn, post } from './a-client.js'
import { anotherBroker, introspect } from './a-fleet.js'
import { aProduct, type Product } from './a-product.js'
import { anAgentOf } from './an-agent.js'
import { codeIn, describeRaces, kinds, type RacedBrokers, twentyAt } from './races-at-brokers.js'

let product: Product
let brokers: RacedBrokers
const stops: (() => Promise<void>)[] = []

beforeAll(async () => {
  product = await aProduct()
  stops.push(() => product.stop())
  const others = [await anotherBroker(product), await anotherBroker(product)]
  stops.unshift(...others.map(({ stop }) => stop))
  const issuer = product.issuer('acme')
  brokers = {
    issuer,
    at: [issuer, ...others.map((other) => other.issuer)],
    resource: product.mcpUrl,
    signIn: async (attempt) => codeIn((await logIn(attempt, { name: 'ada' })).page),
    admin: (method, path, body) => product.admin(method, `/tenants/acme${path}`, body),
    isActive: (at, token) => introspect(product, at, token),
  }
}, 180_000)
afterAll(async () => {
  for (const stop of stops) await stop()
}, 60_000)

describeRaces(() => brokers)

it('one assertion of a trusted issuer is redeemed once (MCP Enterprise-Managed Authorization, jti)', async () => {
  const agent = await anAgentOf(product, 'acme')
  const authorization = `Basic ${Buffer.from(`${agent.id}:${agent.secret}`).toString('base64')}`
  const form = { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: await agent.assert() }
  const answers = await twentyAt(brokers.at, (at) => post(`${at}/token`, form, { authorization }))
  expect(kinds(answers)).toEqual({ '200 Bearer': 1, '400 invalid_grant': 19 })
})
