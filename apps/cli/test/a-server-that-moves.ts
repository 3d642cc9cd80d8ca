/**
 * A resource server that goes over from a company's own issuer to the front issuer, which its metadata then name; and a client that follows it. What the former
 * issuer gave is worth nothing at the next, and is not shown there (MCP authorization 2026-07-28, Authorization Server Binding; RFC 6749 §2.2).
 */
import { type BrowserLogin, createBrowserLogin } from '@drawbridge/example-agent/browser-login'
import { expect } from 'vitest'
import { aBrowser, walk } from './a-client.js'
import { someone } from './a-place.js'
import { type KnownBy, type SdkWorld } from './an-sdk-world.js'

/** One connection of one version of the SDK: `search` connects first. */
export type Connection = {
  search(): Promise<string>
  finish(answer: URLSearchParams): Promise<void>
}
export type Connect = (url: URL, login: BrowserLogin, fetch: typeof globalThis.fetch) => Connection

type Sent = { readonly url: URL; readonly said: string }

/** A fetch, and what it has sent. */
function recording() {
  const sent: Sent[] = []
  const recorded: typeof fetch = async (input, init) => {
    const request = new Request(input, init)
    sent.push({ url: new URL(request.url), said: `${request.url} ${JSON.stringify([...request.headers])} ${await request.clone().text()}` })
    return fetch(request)
  }
  return { sent, fetch: recorded }
}

/** At each issuer: through the browser to a tool. */
export async function followsItsServer(world: SdkWorld, way: KnownBy, connect: Connect): Promise<void> {
  const put = await world.movingServer()
  const { options } = await world.client('acme', way)
  const { sent, fetch: recorded } = recording()
  const browser = async (authorize: URL) => {
    sent.push({ url: authorize, said: authorize.href })
    return new URL((await walk(await aBrowser().open(authorize.href), someone('acme', 'ada'))).page.url)
  }
  const login = createBrowserLogin({ ...options, browser })
  const held = async () => {
    const [client, tokens] = [await login.provider.clientInformation(), await login.provider.tokens()]
    return { clientId: client?.client_id ?? '', refreshToken: tokens?.refresh_token ?? '' }
  }
  const signIn = async (place: 'acme' | 'front for acme') => {
    const url = new URL((await put(place)).guard.resource)
    const first = connect(url, login, recorded)
    await expect(first.search()).rejects.toThrow('Unauthorized')
    const answer = await login.answer()
    expect(answer.get('iss')).toBe(world.issuer(place))
    await first.finish(answer)
    expect(await connect(url, login, recorded).search()).toContain('welcome')
    return held()
  }
  const former = await signIn('acme')
  sent.length = 0
  const next = await signIn('front for acme')

  expect(login.visits()).toBe(2)
  expect(next.clientId === former.clientId).toBe(way === 'a metadata document') // which says who it is to everybody
  const isOf = (issuer: string) => (each: Sent) => each.url.href.startsWith(`${issuer}/`)
  expect(sent.filter(isOf(world.issuer('acme')))).toEqual([])
  const told = sent.filter(isOf(world.issuer('front for acme')))
  expect(told.map(({ url }) => url.pathname)).toEqual(expect.arrayContaining(['/authorize', '/token']))
  const secrets = way === 'a metadata document' ? [former.refreshToken] : [former.refreshToken, former.clientId]
  for (const secret of secrets) expect(told.filter(({ said }) => said.includes(secret))).toEqual([])
}
