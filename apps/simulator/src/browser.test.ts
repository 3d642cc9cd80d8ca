/** The browser against a small server, so that its cookies, redirects and forms can be trusted in the tests that use it. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it, test } from 'vitest'
import { openBrowser } from './browser.js'
import { createCookieJar } from './cookie-jar.js'

let server: Server
let origin: string
const seen: { method: string | undefined; url: string | undefined; body: string; headers: IncomingMessage['headers'] }[] = []

const page = (body: string) => `<!doctype html><html><head><title>t</title><style>p{}</style></head><body>${body}</body></html>`
const answers: Readonly<Record<string, (response: ServerResponse) => void>> = {
  '/set': (response) =>
    response.writeHead(302, { location: '/show', 'set-cookie': ['a=1; Path=/', 'b=2; Path=/deep', 'gone=1; Max-Age=0'] }).end(),
  '/show': (response) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end(page('<p>Hello&nbsp;&amp; <b>welcome</b></p><!-- <form> -->')),
  '/deep/er': (response) => response.writeHead(200).end(page('deep')),
  '/loop': (response) => response.writeHead(302, { location: '/loop' }).end(),
  '/away': (response) => response.writeHead(302, { location: 'http://127.0.0.1:9/callback?code=x#frag' }).end(),
  '/form': (response) =>
    response.writeHead(200).end(
      page(
        `<form id="one" method="post" action="/take?x=1"><input type=hidden name=h value="&quot;v&#39;"><input name="t" value="old"><input type="checkbox" name="no">
        <input type="checkbox" name="yes" checked><select name="s"><option value="1">I</option><option value="2" selected>II</option></select><textarea name="m">a &lt; b</textarea>
        <button name="do" value="allow">Allow</button><button name="do" value="deny">Deny</button></form><form action="/show"><input name="q" value="z"><button>Search</button></form>`,
      ),
    ),
  '/saml': (response) =>
    response
      .writeHead(200)
      .end(page('<form method="post" action="/take"><input type="hidden" name="SAMLResponse" value="PHg+"><button>Go</button></form>')),
  '/take': (response) => response.writeHead(200).end(page('taken')),
}

beforeAll(async () => {
  server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    seen.push({ method: request.method, url: request.url, body, headers: request.headers })
    const answer = answers[new URL(request.url ?? '', 'http://x').pathname]
    if (answer === undefined) return void response.writeHead(404).end('no')
    answer(response)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => new Promise((done) => server.close(done)))

const last = () => seen[seen.length - 1]

it('keeps cookies, follows redirects and reads text', async () => {
  const browser = openBrowser()
  const shown = await browser.open(`${origin}/set`)
  expect(shown).toMatchObject({ status: 200, url: `${origin}/show`, text: 'Hello & welcome', trail: [`${origin}/set`, `${origin}/show`] })
  expect(last()?.headers.cookie).toBe('a=1')
  await browser.open(`${origin}/deep/er`)
  expect(last()?.headers.cookie).toBe('b=2; a=1')
  expect([...browser.cookies(`${origin}/show`).keys()]).toEqual(['a'])
})

it('stops in front of a redirect URI that nobody serves', async () => {
  const stopped = await openBrowser({ stopAt: 'http://127.0.0.1:9/callback' }).open(`${origin}/away`)
  expect(stopped).toMatchObject({ isStopped: true, status: 0 })
  expect(new URL(stopped.url).searchParams.get('code')).toBe('x')
})

it('gives up on a redirect loop', async () => {
  await expect(openBrowser().open(`${origin}/loop`)).rejects.toThrow('redirects')
})

it('submits a form with its own fields, ours in their place and the button chosen', async () => {
  const form = await openBrowser().open(`${origin}/form`)
  expect((await form.form('one').submit({ t: 'new', do: 'deny' })).text).toBe('taken')
  expect(last()).toMatchObject({ method: 'POST', url: '/take?x=1', headers: { origin, 'sec-fetch-site': 'same-origin' } })
  expect(Object.fromEntries(new URLSearchParams(last()?.body))).toEqual({ h: '"v\'', t: 'new', yes: 'on', s: '2', m: 'a < b', do: 'deny' })
  await form.form('Search').submit()
  expect(last()).toMatchObject({ method: 'GET', url: '/show?q=z' })
  expect(() => form.form('nothing like it')).toThrow('no form')
})

it('carries a SAML message home by itself, unless told not to', async () => {
  expect((await openBrowser().open(`${origin}/saml`)).text).toBe('taken')
  expect(last()?.body).toBe('SAMLResponse=PHg%2B')
  const shown = await openBrowser({ submitsSamlForms: false }).open(`${origin}/saml`)
  expect(shown.form('SAMLResponse').fields).toEqual({ SAMLResponse: 'PHg+' })
})

test.each([
  { line: 'c=1', method: 'GET', from: 'http://other.example/', sent: true },
  { line: 'c=1', method: 'POST', from: 'http://other.example/', sent: false },
  { line: 'c=1; SameSite=Lax', method: 'POST', from: 'http://site.example/', sent: true },
  { line: 'c=1; SameSite=Strict', method: 'GET', from: 'http://other.example/', sent: false },
  { line: 'c=1; SameSite=Strict', method: 'GET', from: undefined, sent: true },
  { line: 'c=1; SameSite=None', method: 'GET', from: undefined, sent: false },
  { line: 'c=1; Secure', method: 'GET', from: undefined, sent: false },
  { line: 'c=1; Path=/other', method: 'GET', from: undefined, sent: false },
  { line: 'c=1; Domain=site.example', method: 'GET', from: undefined, sent: true },
  { line: 'c=1; Domain=evil.example', method: 'GET', from: undefined, sent: false },
  { line: '__Host-c=1; Path=/', method: 'GET', from: undefined, sent: false },
])('“$line” goes with $method from $from: $sent', ({ line, method, from, sent }) => {
  const jar = createCookieJar()
  const to = new URL('http://site.example/page')
  jar.keep([line], to)
  expect(jar.header(to, { method, initiator: from === undefined ? undefined : new URL(from) }) !== '').toBe(sent)
})

it('takes localhost and 127.0.0.1 for two sites, and a loopback for trustworthy', () => {
  const jar = createCookieJar()
  const to = new URL('http://localhost:4400/')
  jar.keep(['__Host-c=1; Path=/; Secure; SameSite=Lax'], to)
  expect(jar.header(to, { method: 'GET', initiator: undefined })).toBe('__Host-c=1')
  expect(jar.header(to, { method: 'POST', initiator: new URL('http://127.0.0.1:4410/') })).toBe('')
})

it('finds the server of an address elsewhere, as behind a proxy, and the server and the cookies hear of the address alone', async () => {
  const there = (url: URL) => new URL(url.pathname + url.search, origin)
  const browser = openBrowser({ findServer: there })
  const page = await browser.open('https://login.example/set')
  expect(page.url).toBe('https://login.example/show')
  expect(seen.at(-1)?.headers).toMatchObject({ host: 'login.example', cookie: 'a=1' })
  expect([...browser.cookies('https://login.example/').keys()]).toEqual(['a'])
  expect(browser.cookies(origin).size).toBe(0)
})
