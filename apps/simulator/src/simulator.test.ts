/** The simulator as a whole: its pages, its SCIM client, its keys and its refusals. */
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { openBrowser } from './browser.js'
import { faultIds } from './faults.js'
import { createSimulator, type Simulator } from './simulator.js'

type Told = { method: string | undefined; url: string; authorization: string | undefined; body: Record<string, unknown> | undefined }

/** A SCIM service just good enough to be provisioned. */
let service: Server
let simulator: Simulator
let url: string
const told: Told[] = []
const users = new Map<string, string>()

beforeAll(async () => {
  service = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += String(chunk)
    const body = text === '' ? undefined : (JSON.parse(text) as Record<string, unknown>)
    told.push({ method: request.method, url: request.url ?? '', authorization: request.headers.authorization, body })
    const wanted = /userName eq "([^"]+)"/.exec(new URL(request.url ?? '', 'http://x').searchParams.get('filter') ?? '')?.[1]
    if (request.method === 'GET') {
      const id = users.get(wanted ?? '')
      return void response.end(JSON.stringify({ totalResults: id === undefined ? 0 : 1, Resources: id === undefined ? [] : [{ id }] }))
    }
    if (request.method === 'POST') users.set(String(body?.['userName']), `id/${users.size}`)
    response.writeHead(request.method === 'POST' ? 201 : 200).end('{}')
  })
  await new Promise<void>((done) => service.listen(0, '127.0.0.1', done))
  const scim = { scimBaseUrl: `http://127.0.0.1:${(service.address() as AddressInfo).port}/scim/v2`, scimToken: 'dbs_test' }
  simulator = createSimulator({ port: 0, broker: { acme: scim } })
  url = (await simulator.start()).url
})
afterAll(async () => {
  await simulator.close()
  await new Promise((done) => service.close(done))
})

describe('SCIM', () => {
  it('provisions everyone by a click, and twice does no harm', async () => {
    const page = await openBrowser().open(`${url}/acme`)
    const after = await page.form('/acme/scim/provision').submit()
    expect(after.text).toContain('created max@acme.example')
    expect(told.filter((one) => one.method === 'POST')).toHaveLength(5)
    expect(told.find((one) => one.method === 'POST')).toMatchObject({
      authorization: 'Bearer dbs_test',
      body: { userName: 'ada@acme.example', externalId: 'acme-ada', active: true },
    })
    expect((await simulator.provision('acme')).every((outcome) => outcome.isDone)).toBe(true)
    expect(told.filter((one) => one.method === 'POST')).toHaveLength(5)
  })

  test.each([
    { dialect: 'okta', operation: { op: 'replace', value: { active: false } } },
    { dialect: 'entra-legacy', operation: { op: 'Replace', path: 'active', value: 'False' } },
    { dialect: 'entra-compliant', operation: { op: 'replace', path: 'active', value: false } },
  ] as const)('deactivates as $dialect does', async ({ dialect, operation }) => {
    await simulator.provision('acme', 'lena')
    expect(await simulator.deactivate('acme', 'lena', dialect)).toMatchObject({ isDone: true })
    const patch = told[told.length - 1]
    expect(patch).toMatchObject({ method: 'PATCH', body: { Operations: [operation] } })
    expect(patch?.url).toMatch(/^\/scim\/v2\/Users\/id%2F\d/)
  })

  it('deactivates and reactivates by a click', async () => {
    await simulator.provision('acme', 'clark')
    const page = await openBrowser().open(`${url}/acme`)
    expect((await page.form('person=acme-clark').submit({ active: 'false' })).text).toContain('deactivated clark@acme.example')
    expect((await page.form('person=acme-clark').submit({ active: 'true', dialect: 'entra-legacy' })).text).toContain(
      'reactivated clark@acme.example',
    )
  })

  it('says so when nothing is configured', async () => {
    await expect(simulator.deactivate('globex', 'ada')).rejects.toThrow('no SCIM service')
    expect((await openBrowser().open(`${url}/globex`)).text).toContain('No SCIM service is configured')
  })
})

describe('security events', () => {
  const call = async (path: string, body?: unknown, authorization = `Bearer ${simulator.signals('acme').bearerToken}`) => {
    const headers = { authorization, 'content-type': 'application/json' }
    const answer = await fetch(url + path, body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) })
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  }

  it('are offered at the page once somebody has a stream, and wait in it until they are acknowledged', async () => {
    const configuration = await call('/.well-known/ssf-configuration/acme')
    expect(configuration.body).toMatchObject({ issuer: `${url}/acme`, configuration_endpoint: `${url}/acme/ssf/stream` })
    const before = await openBrowser().open(`${url}/acme`)
    expect(() => before.form('/acme/signal')).toThrow('no form')
    expect((await call('/acme/ssf/stream', {}, 'Bearer another')).status).toBe(401)
    const made = await call('/acme/ssf/stream', { delivery: { method: 'urn:ietf:rfc:8936' } })
    const poll = new URL((made.body['delivery'] as { endpoint_url: string }).endpoint_url).pathname
    const page = await openBrowser().open(`${url}/acme`)
    expect((await page.form('/acme/signal').submit({ event: 'account-disabled' })).text).toContain('Sent account-disabled of Ada')
    const first = await call(poll, { returnImmediately: true })
    const [jti = ''] = Object.keys(first.body['sets'] as object)
    expect((await call(poll, { ack: [jti], returnImmediately: true })).body).toEqual({ sets: {} })
    simulator.signals('acme').streams.remove(String(made.body['stream_id']))
  })
})

describe('pages', () => {
  test.each(['/', '/acme', '/globex', '/nowhere', '/acme/sso', '/acme/sign-in/x', '/globex/sign-in/x', '/globex/nowhere'])(
    '%s says what it is and never breaks',
    async (path) => {
      const page = await openBrowser().open(url + path)
      expect(page.status).toBeLessThan(500)
      expect(page.html.startsWith('{') || page.text.toLowerCase().includes('development tool')).toBe(true)
    },
  )

  it('offers every card that the protocol knows, and takes one back by a second click', async () => {
    const page = await openBrowser().open(`${url}/acme`)
    for (const fault of faultIds) expect(page.form(`/acme/faults/${fault}`).fields).toEqual({ armed: 'true' })
    const armed = await page.form('/acme/faults/unsigned').submit()
    expect((await armed.form('/acme/faults/unsigned').submit()).form('/acme/faults/unsigned').fields).toEqual({ armed: 'true' })
    expect(() => page.form('/globex/faults/expired-metadata')).toThrow('no form')
  })

  it('escapes what came from outside', async () => {
    const page = await openBrowser().open(`${url}/acme?told=${encodeURIComponent('<script>alert(1)</script>"')}`)
    expect(page.html).not.toContain('<script>')
    expect(page.text).toContain('<script>alert(1)</script>')
  })

  it('takes no form from another site', async () => {
    expect(
      (await openBrowser().post(`${url}/acme/scim/active`, { person: 'acme-ada', active: 'false' }, 'https://evil.example/')).status,
    ).toBe(403)
  })
})

it('keeps its keys in a folder, for its owner only, so that a restart has the same metadata', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'simulator-keys-'))
  const start = async () => {
    const one = createSimulator({ port: 0, publicUrl: 'http://127.0.0.1:1', keysFolder: folder })
    await one.start()
    const facts = [one.metadataXml('acme'), one.oidcClient('globex').clientSecret]
    await one.close()
    return facts
  }
  expect(await start()).toEqual(await start())
  expect((await stat(join(folder, 'simulator-keys.json'))).mode & 0o077).toBe(0)
  await rm(folder, { recursive: true })
})

it('refuses to run in production', () => {
  const usual = process.env['NODE_ENV']
  process.env['NODE_ENV'] = 'production'
  try {
    expect(() => createSimulator({ port: 0 })).toThrow('refuses to run')
  } finally {
    process.env['NODE_ENV'] = usual
  }
})
