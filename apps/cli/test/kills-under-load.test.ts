/**
 * An admin kills a person, a client, a connection or a whole tenant while three brokers refresh, redeem, exchange and introspect what it hits: from the
 * answer on nothing of it succeeds anywhere, nothing that was issued meanwhile lives, what it does not hit never notices, and what begins after it lives.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answered, type Attempt, aBrowser, anAttempt, logIn, post, redeem, refreshAt, registerAt, type Walked } from './a-client.js'
import { anotherBroker } from './a-fleet.js'
import { type AGateway, aGatewayOf } from './a-gateway.js'
import { aProduct, type Company, nextSecond, type Product } from './a-product.js'

const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token'
const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange'
/** Of what a kill hits; a grant each. */
const holdersEach = 4
const codesEach = 8
const roundsBefore = 3
const roundsAfter = 3
const sleepMs = 5

let product: Product
let gateway: AGateway
let credentials: { readonly tool: string; readonly behind: string }
/** The brokers' own addresses. */
let at: readonly string[] = []
const stops: (() => Promise<void>)[] = []

beforeAll(async () => {
  product = await aProduct()
  stops.push(() => product.stop())
  const others = [await anotherBroker(product), await anotherBroker(product)]
  stops.unshift(...others.map(({ stop }) => stop))
  at = [product.publicUrl, ...others.map(({ issuer }) => new URL(issuer).origin)]
  gateway = await aGatewayOf(product, 'acme')
  const resource = ofName(await admin('GET', '/resources'), 'resources', ({ identifier }) => identifier === gateway.target)
  const made = await admin('POST', `/resources/${resource}/credentials`, {})
  const { id, secret } = product.started.demonstration.resourceCredential
  credentials = { tool: basic(id, secret), behind: basic(String(made['id']), String(made['secret'])) }
}, 180_000)
afterAll(async () => {
  for (const stop of stops) await stop()
}, 60_000)

const basic = (id: string, secret: string): string => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`
async function admin(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
  const { status, json } = await product.admin(method, `/tenants/acme${path}`, body)
  if (status >= 300) throw new Error(`${method} ${path} was answered ${status}: ${JSON.stringify(json)}`)
  return json
}
type Row = { readonly id: string; readonly identifier?: string }
const ofName = (json: Record<string, unknown>, rows: string, is: (row: Row) => boolean): string =>
  (json[rows] as readonly Row[]).find(is)?.id ?? ''

/** What one client holds of one person, and everything that it was answered. */
type Holder = {
  readonly company: Company
  readonly person: string
  readonly clientId: string
  readonly subject: string
  readonly codes: { readonly attempt: Attempt; readonly page: Walked['page'] }[]
  readonly tried: Tried[]
  refreshToken: string
  accessToken: string
}
type Tried = {
  readonly what: string
  readonly sentAt: number
  readonly succeeded: boolean
  readonly token?: string
  readonly credential?: string
}

async function aHolder(company: Company, person: string, clientId: string): Promise<Holder> {
  const issuer = product.issuer(company)
  const browser = aBrowser()
  const authorized = async () => {
    const attempt = anAttempt({ issuer, clientId, resource: product.mcpUrl })
    return { attempt, page: (await logIn(attempt, { name: person }, browser)).page }
  }
  const first = await authorized()
  const { json } = await redeem(first.attempt, first.page, issuer)
  const accessToken = String(json['access_token'])
  const codes = []
  for (let code = 0; code < codesEach; code += 1) codes.push(await authorized())
  return {
    company,
    person,
    clientId,
    codes,
    tried: [],
    accessToken,
    refreshToken: String(json['refresh_token']),
    subject: claimsOf(accessToken).sub,
  }
}
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { readonly sub: string }

const introspect = async (origin: string, company: Company, token: string, credential: string): Promise<boolean> =>
  (await post(`${origin}/t/${company}/introspect`, { token }, { authorization: credential })).json['active'] === true

/** Each of them once, at a broker of its own turn. */
const ways: readonly ((holder: Holder, origin: string) => Promise<Omit<Tried, 'sentAt'> | undefined>)[] = [
  async (holder, origin) => {
    const answer = await refreshAt(`${origin}/t/${holder.company}`, holder.clientId, holder.refreshToken)
    if (answer.status !== 200) return failed('refresh', answer)
    holder.refreshToken = String(answer.json['refresh_token'])
    holder.accessToken = String(answer.json['access_token'])
    return { what: 'refresh', succeeded: true, token: holder.accessToken, credential: credentials.tool }
  },
  async (holder, origin) => {
    const code = holder.codes.pop()
    if (code === undefined) return undefined
    const answer = await redeem(code.attempt, code.page, `${origin}/t/${holder.company}`)
    if (answer.status !== 200) return failed('code', answer)
    return { what: 'code', succeeded: true, token: String(answer.json['access_token']), credential: credentials.tool }
  },
  async (holder, origin) => {
    if (holder.company !== 'acme') return undefined
    const form = {
      grant_type: exchangeGrant,
      subject_token: holder.accessToken,
      subject_token_type: accessTokenType,
      resource: gateway.target,
    }
    const answer = await post(`${origin}/t/acme/token`, form, { authorization: basic(gateway.id, gateway.secret) })
    if (answer.status !== 200) return failed('exchange', answer)
    return { what: 'exchange', succeeded: true, token: String(answer.json['access_token']), credential: credentials.behind }
  },
  async (holder, origin) => ({
    what: 'introspection',
    succeeded: await introspect(origin, holder.company, holder.accessToken, credentials.tool),
  }),
]
function failed(what: string, { status, json }: Answered): Omit<Tried, 'sentAt'> {
  if (status >= 500) throw new Error(`${what} was answered ${status}: ${JSON.stringify(json)}`)
  return { what, succeeded: false }
}

/** Goes on until it has gone `roundsAfter` times through all ways after the kill was answered. */
async function use(holder: Holder, nth: number, state: { readonly begun: number[]; killedAt: number }): Promise<void> {
  let turn = nth
  for (let round = 0, after = 0; after < roundsAfter; round += 1) {
    const isAfter = performance.now() > state.killedAt
    for (const way of ways) {
      turn += 1
      const sentAt = performance.now()
      const tried = await way(holder, at[turn % at.length] as string)
      if (tried !== undefined) holder.tried.push({ ...tried, sentAt })
    }
    if (round === roundsBefore) state.begun.push(nth)
    if (isAfter) after += 1
  }
}

async function underLoad(holders: readonly Holder[], kill: () => Promise<unknown>): Promise<number> {
  const state = { begun: [] as number[], killedAt: Number.POSITIVE_INFINITY }
  const using = holders.map((holder, nth) => use(holder, nth, state))
  while (state.begun.length < holders.length) await new Promise((resolve) => setTimeout(resolve, sleepMs))
  await kill()
  state.killedAt = performance.now()
  await Promise.all(using)
  return state.killedAt
}

type World = { readonly hit: readonly Holder[]; readonly spared: readonly Holder[] }
type Kill = {
  readonly what: string
  readonly world: () => Promise<World>
  readonly kill: (world: World) => string
  readonly back: (world: World) => readonly [method: string, path: string, body?: unknown]
}

const some = async (company: Company, person: string, clientId: string, count = holdersEach): Promise<Holder[]> => {
  const holders: Holder[] = []
  for (let nth = 0; nth < count; nth += 1) holders.push(await aHolder(company, person, clientId))
  return holders
}
const elsewhere = async () => some('globex', 'ada', await registerAt(product.issuer('globex')), 1)
const clientAtAcme = () => registerAt(product.issuer('acme'))
const first = ({ hit }: World): Holder => hit[0] as Holder
let connection = ''

const kills: readonly Kill[] = [
  {
    what: 'a person',
    world: async () => {
      const client = await clientAtAcme()
      return { hit: await some('acme', 'max', client), spared: [...(await some('acme', 'ada', client, 1)), ...(await elsewhere())] }
    },
    kill: (world) => `/subjects/${first(world).subject}/kill`,
    back: (world) => ['POST', `/subjects/${first(world).subject}/reinstate`, { reason: 'the test is over' }],
  },
  {
    what: 'a client',
    world: async () => ({
      hit: await some('acme', 'ada', await clientAtAcme()),
      spared: [...(await some('acme', 'ada', await clientAtAcme(), 1)), ...(await elsewhere())],
    }),
    kill: (world) => `/clients/${first(world).clientId}/kill`,
    back: (world) => ['PATCH', `/clients/${first(world).clientId}`, { blocked: false }],
  },
  {
    what: 'a connection',
    world: async () => {
      connection = ofName(await admin('GET', '/connections'), 'connections', () => true)
      return { hit: await some('acme', 'ada', await clientAtAcme()), spared: await elsewhere() }
    },
    kill: () => `/connections/${connection}/kill`,
    back: () => ['POST', `/connections/${connection}/enable`, { reason: 'the test is over' }],
  },
  {
    what: 'the tenant',
    world: async () => ({ hit: await some('acme', 'ada', await clientAtAcme()), spared: await elsewhere() }),
    kill: () => '/kill',
    back: () => ['POST', '/reinstate', { reason: 'the test is over' }],
  },
]

describe.each(kills)('under load, $what is killed', ({ world: make, kill, back }) => {
  it('and from the answer on nothing of it succeeds, nothing issued meanwhile lives, others do not notice, and what begins later lives', async () => {
    const world = await make()
    const { hit, spared } = world
    const killedAt = await underLoad([...hit, ...spared], () => admin('POST', kill(world), { reason: 'a test' }))
    const before = hit.flatMap(({ tried }) => tried.filter(({ sentAt }) => sentAt < killedAt))
    const after = hit.flatMap(({ tried }) => tried.filter(({ sentAt }) => sentAt > killedAt))
    for (const what of ['refresh', 'code', 'exchange', 'introspection']) {
      expect(before.filter((tried) => tried.what === what && tried.succeeded).length).toBeGreaterThanOrEqual(holdersEach)
      expect(after.filter((tried) => tried.what === what).length).toBeGreaterThanOrEqual(holdersEach)
    }
    expect(after.filter(({ succeeded }) => succeeded)).toEqual([])
    for (const { token, credential } of before)
      if (token !== undefined) for (const origin of at) expect(await introspect(origin, 'acme', token, credential ?? '')).toBe(false)
    for (const { company, tried, accessToken } of spared) {
      expect(tried.filter(({ succeeded }) => !succeeded)).toEqual([])
      for (const origin of at) expect(await introspect(origin, company, accessToken, credentials.tool)).toBe(true)
    }
    await admin(...back(world))
    await nextSecond()
    const { company, person, clientId } = first(world)
    const anew = await aHolder(company, person, clientId)
    for (const origin of at) expect(await introspect(origin, company, anew.accessToken, credentials.tool)).toBe(true)
    for (const { token, credential } of before.slice(0, holdersEach))
      if (token !== undefined) expect(await introspect(at[0] ?? '', 'acme', token, credential ?? '')).toBe(false)
  }, 120_000)
})
