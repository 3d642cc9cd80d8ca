/**
 * The version 2 MCP SDK against the product started by its own command: known in each of the three ways, stepping up, refreshing in parallel, and believing no
 * answer of another issuer. At a company's issuer and at the front.
 */
import { createBrowserLogin } from '@drawbridge/example-agent/browser-login'
import { createExampleAgent } from '@drawbridge/example-agent/example-agent'
import type { ExampleMcpServer } from '@drawbridge/example-mcp-server/example-server'
import {
  Client,
  discoverAuthorizationServerMetadata,
  IssuerMismatchError,
  refreshAuthorization,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aBrowser, type Person, redirectUri, type Walked, walk } from './a-client.js'
import { someone } from './a-place.js'
import { type Connect, followsItsServer } from './a-server-that-moves.js'
import { anSdkWorld, knownBy, type SdkWorld } from './an-sdk-world.js'

const atOnce = 20
let world: SdkWorld

beforeAll(async () => {
  world = await anSdkWorld()
}, 180_000)
afterAll(() => world?.stop(), 60_000)

const personAt = (person: Person, seen: Walked['seen'][number][] = []) => {
  const browser = aBrowser()
  return async (authorize: URL): Promise<URL> => {
    const walked = await walk(await browser.open(authorize.href), person)
    seen.push(...walked.seen)
    return new URL(walked.page.url)
  }
}

/** As far as the answer to the authorization request. */
async function untilAnswered(server: ExampleMcpServer, options: Parameters<typeof createBrowserLogin>[0]) {
  const login = createBrowserLogin(options)
  const transport = new StreamableHTTPClientTransport(new URL(server.guard.resource), { authProvider: login.provider })
  await expect(new Client({ name: 'version 2', version: '1' }).connect(transport)).rejects.toThrow(UnauthorizedError)
  return { login, transport, answer: await login.answer() }
}

describe.each(['acme', 'front for globex'] as const)('at %s', (place) => {
  const ada = someone(place, 'ada')
  let server: ExampleMcpServer
  beforeAll(async () => {
    server = await world.server(place)
  })

  describe.each(knownBy)('known by %s', (way) => {
    it('it finds its way to a tool, and steps up for one that needs more', async () => {
      const { options, gates } = await world.client(place, way)
      const seen: Walked['seen'][number][] = []
      const agent = createExampleAgent({ ...options, serverUrl: server.guard.resource, browser: personAt(ada, seen) })
      await agent.connect()
      expect(seen).toEqual(gates)
      expect(await agent.callTool('search_documents', { text: 'Drawbridge' })).toContain('welcome')
      expect(await agent.callTool('write_document', { name: 'plan', content: 'raise the bridge' })).toBe('wrote plan')
      expect(agent.visits()).toBe(2)
      await agent.close()
    })

    it(`${atOnce} refreshes at once all succeed, with one successor`, async () => {
      const { options } = await world.client(place, way)
      const { login, transport, answer } = await untilAnswered(server, { ...options, browser: personAt(ada) })
      await transport.finishAuth(answer)
      const [tokens, clientInformation] = [await login.provider.tokens(), await login.provider.clientInformation()]
      const issuer = world.issuer(place)
      const metadata = await discoverAuthorizationServerMetadata(issuer)
      if (!tokens?.refresh_token || !clientInformation || !metadata) throw new Error('the SDK kept too little')
      const { refresh_token: refreshToken } = tokens
      const resource = new URL(server.guard.resource)
      const refresh = () => refreshAuthorization(issuer, { metadata, clientInformation, refreshToken, resource })
      const fresh = await Promise.all(Array.from({ length: atOnce }, refresh))
      expect(new Set(fresh.map(({ refresh_token }) => refresh_token)).size).toBe(1)
      expect(fresh[0]?.refresh_token).not.toBe(refreshToken)
      for (const { token_type } of fresh) expect(token_type).toMatch(/^bearer$/i)
    })
  })

  it('an answer that names another issuer, or none, is refused by the SDK before its code is sent anywhere', async () => {
    const { login, transport, answer } = await untilAnswered(server, { redirectUrl: redirectUri, browser: personAt(ada) })
    expect(answer.get('iss')).toBe(world.issuer(place))
    const [elsewhere, nowhere] = [new URLSearchParams(answer), new URLSearchParams(answer)]
    elsewhere.set('iss', world.issuer('globex'))
    nowhere.delete('iss')
    for (const wrong of [elsewhere, nowhere]) await expect(transport.finishAuth(wrong)).rejects.toThrow(IssuerMismatchError)
    await transport.finishAuth(answer)
    expect(await login.provider.tokens()).toHaveProperty('access_token')
  })

  it('a refusal names its issuer, and is believed only of that one', async () => {
    const browser = personAt({ ...ada, atConsent: 'deny' })
    const { transport, answer } = await untilAnswered(server, { redirectUrl: redirectUri, browser })
    expect(Object.fromEntries(answer)).toMatchObject({ error: 'access_denied', iss: world.issuer(place) })
    const elsewhere = new URLSearchParams(answer)
    elsewhere.set('iss', world.issuer('globex'))
    await expect(transport.finishAuth(elsewhere)).rejects.toThrow(IssuerMismatchError)
    await expect(transport.finishAuth(answer)).rejects.toMatchObject({ code: 'access_denied' })
  })
})

const connect: Connect = (url, { provider }, fetch) => {
  const transport = new StreamableHTTPClientTransport(url, { authProvider: provider, fetch })
  const client = new Client({ name: 'version 2', version: '1' })
  return {
    search: async () => {
      await client.connect(transport)
      const { content } = await client.callTool({ name: 'search_documents', arguments: { text: 'Drawbridge' } })
      await client.close()
      return JSON.stringify(content)
    },
    finish: (answer) => transport.finishAuth(answer),
  }
}

it.each(knownBy)(
  'known by %s, it follows its server from a company’s issuer to the front, to which it shows nothing of the former',
  (way) => followsItsServer(world, way, connect),
)
