/** The guard in front of an Express app, over HTTP. */
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { aProver } from '../test/a-prover.js'
import { type AnIssuer, anIssuer, resource } from '../test/an-issuer.js'
import { createGuard, type Guard } from './create-guard.js'
import { proofAlgorithms } from './dpop-proof.js'
import { closeWhenEnded, guardMcp, requireAuthentication, requireScopes, serveResourceMetadata, verifiedTokenOf } from './express.js'

let issuer: AnIssuer
let guard: Guard
let server: Server
let origin = ''

beforeAll(async () => {
  issuer = await anIssuer({ issuer: 'https://login.example/t/acme', tenant: 'acme', now: Date.now })
  guard = createGuard({
    resource,
    issuers: [{ issuer: issuer.issuer, credential: { id: 'id', secret: 'dbx_secret' } }],
    toolScopes: { search: ['documents:read'], write: ['documents:write'], pay: ['documents:read'], seal: ['documents:read'] },
    toolAuthentication: { pay: { acrValues: ['multi_factor'] }, seal: { acrValues: ['phr'] } },
    onDeaf: 'refuse',
    fetch: issuer.fetch,
  })
  await guard.start()
  const app = express()
  app.use(serveResourceMetadata(guard))
  app.post(
    '/mcp',
    express.json(),
    guardMcp(guard),
    (request, response) => void response.json({ subject: verifiedTokenOf(request)?.subject }),
  )
  app.get('/report', requireScopes(guard, ['documents:write']), (_request, response) => void response.json({}))
  app.get('/events', requireScopes(guard, []), closeWhenEnded(guard), (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': open\n\n')
  })
  app.get('/unguarded', closeWhenEnded(guard), (_request, response) => void response.json({}))
  app.get('/vault', requireAuthentication(guard, { acrValues: ['phr'] }), (_request, response) => void response.json({}))
  await new Promise<void>((resolve) => {
    server = app.listen(0, '127.0.0.1', () => resolve())
  })
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  await guard.stop()
  await new Promise((resolve) => server.close(resolve))
})

const callTool = async (name: unknown, token?: string) => {
  const headers = { 'Content-Type': 'application/json', ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }) }
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } })
  return fetch(`${origin}/mcp`, { method: 'POST', headers, body })
}

it('lets a call pass that holds the scope of its tool, and tells the handler who it is', async () => {
  const response = await callTool('search', await issuer.signToken())
  expect([response.status, await response.json()]).toEqual([200, { subject: 'ada' }])
})

test.each([
  { when: 'no token is sent', name: 'search', hasToken: false, status: 401 },
  { when: 'no token is sent for a tool that nobody knows', name: 'drop', hasToken: false, status: 401 },
  { when: 'the tool needs another scope', name: 'write', hasToken: true, status: 403 },
  { when: 'nobody knows the tool', name: 'drop', hasToken: true, status: 403 },
  { when: 'the tool has no name', name: 7, hasToken: true, status: 400 },
])('answers $status with a challenge when $when', async ({ name, hasToken, status }) => {
  const response = await callTool(name, hasToken ? await issuer.signToken() : undefined)
  expect([response.status, response.headers.get('www-authenticate')]).toEqual([
    status,
    expect.stringMatching(/^Bearer .*resource_metadata=/),
  ])
})

it('guards any other route by its scopes', async () => {
  expect((await fetch(`${origin}/report`)).status).toBe(401)
  const headers = { Authorization: `Bearer ${await issuer.signToken({ scope: 'documents:write' })}` }
  expect((await fetch(`${origin}/report`, { headers })).status).toBe(200)
})

it('serves the metadata at both well-known paths', async () => {
  for (const path of ['/.well-known/oauth-protected-resource/mcp', '/.well-known/oauth-protected-resource'])
    expect(await (await fetch(`${origin}${path}`)).json()).toEqual({
      resource,
      authorization_servers: [issuer.issuer],
      dpop_signing_alg_values_supported: proofAlgorithms,
      bearer_methods_supported: ['header'],
    })
})

it('lets a tool and a path that demand it be used only by somebody who signed in so (RFC 9470 §3)', async () => {
  const weak = await issuer.signToken()
  const refused = await callTool('pay', weak)
  expect(refused.status).toBe(401)
  expect(refused.headers.get('www-authenticate')).toContain('error="insufficient_user_authentication"')
  expect(refused.headers.get('www-authenticate')).toContain('acr_values="multi_factor"')
  expect((await callTool('search', weak)).status).toBe(200)
  expect((await callTool('pay', await issuer.signToken({ acr: 'multi_factor' }))).status).toBe(200)
  const vault = async (claims: Record<string, unknown>) =>
    (await fetch(`${origin}/vault`, { headers: { Authorization: `Bearer ${await issuer.signToken(claims)}` } })).status
  expect([await vault({ acr: 'multi_factor' }), await vault({ acr: 'phr' })]).toEqual([401, 200])
  expect(() => requireAuthentication(guard, { maxAgeSeconds: 1 })).toThrow('guard: ')
})

it('is not put before a path together with what everything here excludes', () => {
  const strict = createGuard({
    ...{ resource, issuers: [{ issuer: issuer.issuer, credential: { id: 'id', secret: 'dbx_secret' } }], toolScopes: {}, onDeaf: 'refuse' },
    authentication: { acrValues: ['gold', 'silver'] },
  })
  expect(() => requireAuthentication(strict, { acrValues: ['phr'] })).toThrow('requireAuthentication together with the resource')
  expect(requireAuthentication(strict, { acrValues: ['phr', 'gold'] })).toBeTypeOf('function')
})

it('says of a batch whose tools exclude each other that it cannot be, in JSON that a client can read', async () => {
  const message = (name: string, id: number) => ({ jsonrpc: '2.0', id, method: 'tools/call', params: { name } })
  const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${await issuer.signToken({ acr: 'multi_factor' })}` }
  const body = JSON.stringify([message('pay', 1), message('seal', 2)])
  const refused = await fetch(`${origin}/mcp`, { method: 'POST', headers, body })
  expect([refused.status, await refused.json()]).toMatchObject([400, { error: 'invalid_request' }])
})

describe('a token that is bound to a key, over HTTP (RFC 9449 §7.1)', () => {
  const call = async (headers: [string, string][]) => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'search' } })
    const response = await fetch(`${origin}/mcp?session=1`, {
      method: 'POST',
      headers: [['content-type', 'application/json'], ...headers],
      body,
    })
    return { status: response.status, challenge: response.headers.get('www-authenticate') }
  }

  it('is let through with one proof for the public address, and with no other', async () => {
    const prover = await aProver()
    const token = await issuer.signToken({ cnf: { jkt: prover.thumbprint } })
    const prove = (url = resource) => prover.prove({ token, method: 'POST', url, now: Date.now() })
    const authorization: [string, string] = ['authorization', `DPoP ${token}`]
    expect((await call([authorization, ['dpop', await prove()]])).status).toBe(200)
    for (const headers of [
      [],
      [['dpop', await prove(`${origin}/mcp`)]],
      [
        ['dpop', await prove()],
        ['dpop', await prove()],
      ],
    ] as [string, string][][])
      expect(await call([authorization, ...headers])).toEqual({
        status: 401,
        challenge: expect.stringMatching(/^DPoP error="invalid_dpop_proof"/),
      })
    expect(await call([['authorization', `Bearer ${token}`]])).toEqual({
      status: 401,
      challenge: expect.stringMatching(/^DPoP error="invalid_token"/),
    })
  })
})

describe('a stream behind closeWhenEnded', () => {
  it('is closed when its access ends, and no other', async () => {
    const open = async (sub: string) => {
      const headers = { Authorization: `Bearer ${await issuer.signToken({ sub })}` }
      const response = await fetch(`${origin}/events`, { headers })
      expect(response.status).toBe(200)
      const reader = (response.body as ReadableStream<Uint8Array>).getReader()
      await reader.read()
      return reader
    }
    const [eve, ada] = [await open('eve'), await open('ada')]
    const notice = await issuer.signNotice({ target: 'subject', targetId: 'eve', epoch: 2 })
    issuer.push({ [notice.jti]: notice.token })
    await expect(eve.read()).rejects.toThrow()
    const isOpen = await Promise.race([ada.read().then(() => false), new Promise((resolve) => setTimeout(resolve, 50, true))])
    expect(isOpen).toBe(true)
    await ada.cancel()
  })

  it('is served to nobody where no guard stands before it', async () => {
    expect((await fetch(`${origin}/unguarded`)).status).toBe(500)
  })
})
