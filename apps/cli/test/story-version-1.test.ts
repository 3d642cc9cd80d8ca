/**
 * The same story for the version 1 MCP SDK, against the product started by its own command: the SDK discovers, introduces itself in each of
 * the three ways, sends the person to sign in, calls a tool, refreshes by itself, and is told 401 when IT says so. At both companies, and at the front
 * issuer for both.
 */
import { callTool } from '@drawbridge/cli/demo-client'
import { type BrowserLogin, createBrowserLogin } from '@drawbridge/example-agent/browser-login'
import type { ExampleMcpServer } from '@drawbridge/example-mcp-server/example-server'
import {
  discoverAuthorizationServerMetadata,
  type OAuthClientProvider,
  refreshAuthorization,
  UnauthorizedError,
} from '@modelcontextprotocol/sdk/client/auth.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aBrowser, redirectUri, walk } from './a-client.js'
import { companyAt, type Place, someone } from './a-place.js'
import { eventually, type Hands, nextSecond } from './a-product.js'
import { type Connect, followsItsServer } from './a-server-that-moves.js'
import { anSdkWorld, knownBy, type SdkWorld } from './an-sdk-world.js'

const person = 'lena'
const places = ['acme', 'globex', 'front for acme', 'front for globex'] as const satisfies readonly Place[]
let world: SdkWorld
let product: Hands
const servers: Partial<Record<Place, ExampleMcpServer>> = {}

beforeAll(async () => {
  world = await anSdkWorld()
  product = world.product
  for (const place of places) servers[place] = await world.server(place)
}, 180_000)
afterAll(() => world?.stop(), 60_000)

/** The SDK's provider is the example agent's own: the two versions differ in the types of what they hand to it, not in its shape. */
const providerOf = (login: BrowserLogin) => login.provider as unknown as OAuthClientProvider

async function connect(login: BrowserLogin, url: string): Promise<Client> {
  const client = new Client({ name: 'version 1', version: '1' })
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { authProvider: providerOf(login) }))
  return client
}

const search = async (client: Client): Promise<string> =>
  JSON.stringify((await client.callTool({ name: 'search_documents', arguments: { text: 'people' } })).content)

describe.each(places)('at %s', (place) => {
  const company = companyAt(place)
  it.each(knownBy)('known by %s, from 401 to a tool, a refresh, and 401 when IT says so', async (way) => {
    await product.provision(company)
    await product.setActive(company, person, true)
    await nextSecond()
    const url = servers[place]?.guard.resource ?? ''
    const { options, gates } = await world.client(place, way)
    const seen: string[] = []
    const refused: string[] = []
    const browser = async (authorize: URL): Promise<URL> => {
      const walked = await walk(await aBrowser().open(authorize.href), someone(place, person))
      seen.push(...walked.seen)
      if (!walked.page.isStopped) refused.push(walked.page.text)
      return new URL(walked.page.url)
    }
    const login = createBrowserLogin({ ...options, browser })
    const first = new StreamableHTTPClientTransport(new URL(url), { authProvider: providerOf(login) })
    await expect(new Client({ name: 'version 1', version: '1' }).connect(first)).rejects.toThrow(UnauthorizedError)
    const back = await login.answer()
    expect(seen).toEqual(gates)
    expect(back.get('iss')).toBe(world.issuer(place))
    await first.finishAuth(back.get('code') ?? '')
    const client = await connect(login, url)
    expect(await search(client)).toContain('welcome')

    const tokens = await login.provider.tokens()
    if (!tokens) throw new Error('the SDK kept no tokens')
    await login.provider.saveTokens({ ...tokens, access_token: 'worn-out' })
    expect(await search(client)).toContain('welcome')
    const fresh = await login.provider.tokens()
    expect([fresh?.access_token === tokens.access_token, fresh?.refresh_token === tokens.refresh_token]).toEqual([false, false])
    expect(login.visits()).toBe(1)

    await product.setActive(company, person, false)
    await eventually(async () => (await callTool(url, fresh?.access_token)).status === 401)
    await expect(search(client)).rejects.toThrow(UnauthorizedError)
    await expect(login.answer()).rejects.toThrow()
    expect(login.visits()).toBe(2)
    expect(refused.join()).toContain('subject_deactivated')
    await client.close()
  })
})

/** As far as tokens: by Ada, who may do everything that the server has. */
async function signedIn(place: Place, options: Omit<Parameters<typeof createBrowserLogin>[0], 'browser'>) {
  const browser = async (authorize: URL) => new URL((await walk(await aBrowser().open(authorize.href), someone(place, 'ada'))).page.url)
  const login = createBrowserLogin({ ...options, browser })
  const url = servers[place]?.guard.resource ?? ''
  const first = new StreamableHTTPClientTransport(new URL(url), { authProvider: providerOf(login) })
  await expect(new Client({ name: 'version 1', version: '1' }).connect(first)).rejects.toThrow(UnauthorizedError)
  await first.finishAuth((await login.answer()).get('code') ?? '')
  const tokens = await login.provider.tokens()
  if (!tokens) throw new Error('the SDK kept no tokens')
  return { login, url, tokens }
}
const knownAt = (['acme', 'front for acme'] as const).flatMap((place) => knownBy.map((way) => [place, way] as const))

describe.each(knownAt)('at %s, known by %s', (place, way) => {
  it('20 refreshes at once all succeed, with one successor', async () => {
    const { options } = await world.client(place, way)
    const { login, url, tokens } = await signedIn(place, options)
    const issuer = world.issuer(place)
    const [metadata, clientInformation] = [await discoverAuthorizationServerMetadata(issuer), await login.provider.clientInformation()]
    if (!metadata || !clientInformation || !tokens.refresh_token) throw new Error('the SDK kept too little')
    const asked = { metadata, clientInformation, refreshToken: tokens.refresh_token, resource: new URL(url) }
    const fresh = await Promise.all(Array.from({ length: 20 }, () => refreshAuthorization(issuer, asked)))
    expect(new Set(fresh.map(({ refresh_token }) => refresh_token)).size).toBe(1)
    expect(fresh[0]?.refresh_token).not.toBe(tokens.refresh_token)
  })

  it('a tool that needs more leads it back to the person, with all the scopes of the challenge, once it holds no refresh token', async () => {
    const { options } = await world.client(place, way)
    const { login, url, tokens } = await signedIn(place, options)
    // While it holds one, this version refreshes instead, which widens nothing.
    await login.provider.saveTokens({ access_token: tokens.access_token, token_type: tokens.token_type })
    const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider: providerOf(login) })
    const client = new Client({ name: 'version 1', version: '1' })
    await client.connect(transport)
    const write = () => client.callTool({ name: 'write_document', arguments: { name: 'plan', content: 'raise the bridge' } })
    await expect(write()).rejects.toThrow(UnauthorizedError)
    await transport.finishAuth((await login.answer()).get('code') ?? '')
    expect(JSON.stringify((await write()).content)).toContain('wrote plan')
    expect(login.visits()).toBe(2)
    await client.close()
  })
})

it.each(['', '/'])('a resource that is a whole host, with "%s" after its name, is found however the SDK writes it', async (path) => {
  const { guard } = await world.server('acme', path)
  const browser = async (authorize: URL) => new URL((await walk(await aBrowser().open(authorize.href), { name: 'ada' })).page.url)
  const login = createBrowserLogin({ redirectUrl: redirectUri, browser })
  const first = new StreamableHTTPClientTransport(new URL(guard.resource), { authProvider: providerOf(login) })
  await expect(new Client({ name: 'version 1', version: '1' }).connect(first)).rejects.toThrow(UnauthorizedError)
  await first.finishAuth((await login.answer()).get('code') ?? '')
  const client = await connect(login, guard.resource)
  expect(await search(client)).toContain('welcome')
  const tokens = await login.provider.tokens()
  if (!tokens) throw new Error('the SDK kept no tokens')
  await login.provider.saveTokens({ ...tokens, access_token: 'worn-out' })
  expect(await search(client)).toContain('welcome')
  expect(login.visits()).toBe(1)
  await client.close()
})

const connectVersion1: Connect = (url, login, fetch) => {
  const transport = new StreamableHTTPClientTransport(url, { authProvider: providerOf(login), fetch })
  const client = new Client({ name: 'version 1', version: '1' })
  return {
    search: async () => {
      await client.connect(transport)
      const found = await search(client)
      await client.close()
      return found
    },
    finish: (answer) => transport.finishAuth(answer.get('code') ?? ''),
  }
}

it.each(knownBy)(
  'known by %s, it follows its server from a company’s issuer to the front, to which it shows nothing of the former',
  (way) => followsItsServer(world, way, connectVersion1),
)
