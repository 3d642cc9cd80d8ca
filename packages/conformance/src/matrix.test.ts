/** A server that agrees to everything keeps no requirement of the matrix: a row that it passed would prove nothing. */
import { generateKeyPairSync } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { matrix } from './matrix.js'
import type { Target } from './requirement.js'

let server: Server
let target: Target

/** A code for every redirect URI, tokens for every form, and the name that the request calls it. */
beforeAll(async () => {
  server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', `http://${request.headers.host}`)
    const redirectUri = url.searchParams.get('redirect_uri')
    if (url.pathname.endsWith('/authorize')) {
      response.writeHead(302, {
        location: `${redirectUri ?? 'https://evil.example/'}?code=a&host=${request.headers.host}`.replace(/[^\x21-\x7e]/g, ''),
      })
      return response.end()
    }
    const name =
      request.headers['x-forwarded-host'] ?? request.headers['forwarded'] ?? request.headers['x-original-url'] ?? request.headers.host
    const keys = [{ kty: 'EC', d: 'private' }]
    const lists = {
      code_challenge_methods_supported: ['plain', 'S256'],
      id_token_signing_alg_values_supported: ['none'],
      grant_types_supported: [],
    }
    response.writeHead(200, { 'content-type': 'text/plain', location: '/' })
    response.end(
      JSON.stringify({
        issuer: `http://${name}${url.pathname}`,
        jwks_uri: `http://${url.host}/jwks`,
        keys,
        ...lists,
        access_token: 'a',
        active: true,
      }),
    )
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const client = { id: 'client', redirectUri: 'https://agent.example/callback' }
  target = {
    issuer: `${origin}/t/one`,
    otherIssuer: `${origin}/t/other`,
    front: `${origin}/front`,
    resource: 'https://rs.example/mcp',
    client,
    otherClientId: 'other',
    machine: { id: 'machine', secret: 'secret', secondSecret: 'second' },
    frontMachine: { id: 'front-machine', secret: 'secret' },
    device: { id: 'device', otherId: 'other-device' },
    agent: { id: 'agent', secret: 'secret', scope: 'read' },
    assert: async () => 'a.b.c',
    worded: {
      id: 'worded',
      secret: 'secret',
      redirectUri: client.redirectUri,
      audience: 'https://as.example',
      resource: 'https://rs.as.example/mcp',
    },
    gateway: { id: 'gateway', secret: 'secret', target: 'https://other.example/mcp', scope: 'read' },
    assertSaml: async () => 'PHNhbWw',
    frontGateway: { id: 'gateway', secret: 'secret', target: 'https://other.example/mcp', scope: 'read' },
    frontAgent: { id: 'agent', secret: 'secret', assert: async () => 'a.b.c', assertSaml: async () => 'PHNhbWw' },
    state: async () => 'a.b.c',
    keyed: { id: 'keyed', kid: 'k', privateKey: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey },
    pairwise: { id: 'pairwise', redirectUri: client.redirectUri },
    certified: { id: 'certified', showing: () => ({}) },
    publish: () => ({ clientId: `${origin}/client.json`, redirectUri: client.redirectUri, change: () => undefined, fetched: () => 1 }),
    resourceCredential: { id: 'rs', secret: 'secret' },
    signIn: async () => `${client.redirectUri}?code=a`,
    browser: () => async () => `${client.redirectUri}?code=a`,
    openGate: async () => ({ headers: {}, action: `${origin}/gate`, fields: {}, cookie: '' }),
  }
})
afterAll(() => {
  server?.close()
})

describe.each(Object.entries(matrix))('%s', (_, requirements) => {
  it.each(requirements)('is found out by $section: $says', async ({ ask }) => {
    await expect(ask(target)).rejects.toThrow()
  })
})
