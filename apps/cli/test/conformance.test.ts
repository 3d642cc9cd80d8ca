/** Our own matrix of requirements, asked of a running broker over HTTP. docs/reference/spec-coverage.md prints the same table. */
import { generateKeyPairSync } from 'node:crypto'
import { matrix } from '@drawbridge/conformance/matrix'
import type { Gate, ShownCertificate, Target } from '@drawbridge/conformance/requirement'
import { deviceGrantType } from '@drawbridge/core/oauth/device-grant-type'
import { aClientCertificate, asByteSequence, type CertificateParts, common, nameOf } from '@drawbridge/testkit/a-client-certificate'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aBrowser, anAttempt, registerAt, walk, webRedirectUri } from './a-client.js'
import { aDocumentHost, type DocumentHost } from './a-document-host.js'
import { aFrontIssuer, aFrontMachine } from './a-front-issuer.js'
import { aFrontGatewayOf, aGatewayOf, aWordedClient } from './a-gateway.js'
import { aProduct, type Company, type Product } from './a-product.js'
import { aPublisherOf } from './a-publisher.js'
import { aFrontAgentOf } from './an-agent.js'

const proxySecret = 'of-the-proxy-0123456789abcdef0123'
const behindProxy = {
  DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER: 'client-cert',
  DRAWBRIDGE_TRUSTED_PROXY_HOPS: '1',
  DRAWBRIDGE_PROXY_SECRETS: proxySecret,
}
/** As a proxy hands a certificate on. */
const handedOn = (parts: CertificateParts, secret = proxySecret) => ({
  'client-cert': asByteSequence(aClientCertificate(parts).octets),
  'drawbridge-proxy-secret': secret,
})
const ofCertified = { subject: nameOf(common('certified')) }
const certificates: Readonly<Record<ShownCertificate, Readonly<Record<string, string>>>> = {
  own: handedOn(ofCertified),
  'of-other': handedOn({ subject: nameOf(common('other')) }),
  lapsed: handedOn({ ...ofCertified, until: new Date(Date.now() - 60_000) }),
  'own-by-stranger': handedOn(ofCertified, 'of-nobody'),
}

let product: Product
let documents: DocumentHost
let target: Target
/** The same person and clients at the front issuer, which learns her company on the way. */
let targetAtFront: Target

beforeAll(async () => {
  documents = await aDocumentHost()
  product = await aProduct({ ...behindProxy, DRAWBRIDGE_ALLOWED_ORIGINS: documents.origin })
  const made = async (company: Company, body: object, path = '') => {
    const { status, json } = await product.admin('POST', `/tenants/${company}/clients${path}`, body)
    expect({ status, json }).toMatchObject({ status: 201 })
    return json
  }
  const client = { id: 'twin', redirectUri: webRedirectUri }
  for (const company of ['acme', 'globex'] as const)
    await made(company, { clientId: client.id, name: 'Twin', redirectUris: [client.redirectUri], preApproved: true })
  await aFrontIssuer(product, { clientId: client.id, name: 'Twin', redirectUris: [client.redirectUri], preApproved: true })
  await made('acme', { clientId: 'pairwise', name: 'Pairwise', redirectUris: [webRedirectUri], preApproved: true, subjectType: 'pairwise' })
  const machine = await made('acme', {
    name: 'Machine',
    grantTypes: ['client_credentials'],
    tokenEndpointAuthMethod: 'client_secret_basic',
    scopeCeiling: ['documents:read'],
  })
  const second = await made('acme', {}, `/${String(machine['clientId'])}/secrets`)
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const keyed = await made('acme', {
    name: 'Keyed',
    grantTypes: ['client_credentials'],
    tokenEndpointAuthMethod: 'private_key_jwt',
    jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k' }] },
    scopeCeiling: ['documents:read'],
  })
  const certified = await made('acme', {
    name: 'Certified',
    grantTypes: ['client_credentials'],
    tokenEndpointAuthMethod: 'tls_client_auth',
    certificateName: { kind: 'subject_dn', value: 'CN=certified' },
    scopeCeiling: ['documents:read'],
  })
  const issuer = product.issuer('acme')
  expect(await product.admin('PUT', '/tenants/acme/device-grant', { enabled: true })).toMatchObject({ status: 200 })
  const aDevice = async () => String((await made('acme', { name: 'Television', grantTypes: [deviceGrantType] }))['clientId'])
  const device = await aDevice()
  const atFront = { clientId: device, name: 'Television', grantTypes: [deviceGrantType] }
  expect(await product.admin('POST', '/front-issuer/clients', atFront)).toMatchObject({ status: 201 })
  expect(await product.admin('PUT', '/front-issuer/device-grant', { enabled: true })).toMatchObject({ status: 200 })
  const agent = await aFrontAgentOf(product, 'acme')
  const gateway = await aGatewayOf(product, 'acme', client.id)
  const otherClientId = await registerAt(issuer, { redirect_uris: [webRedirectUri], application_type: 'web' })
  target = {
    issuer,
    otherIssuer: product.issuer('globex'),
    front: product.publicUrl,
    resource: product.mcpUrl,
    client,
    otherClientId,
    machine: { id: String(machine['clientId']), secret: String(machine['clientSecret']), secondSecret: String(second['clientSecret']) },
    frontMachine: await aFrontMachine(product, 'acme'),
    device: { id: device, otherId: await aDevice() },
    agent: { id: agent.id, secret: agent.secret, scope: 'documents:read' },
    assert: agent.assert,
    gateway,
    frontGateway: await aFrontGatewayOf(product, 'acme', client.id),
    frontAgent: { id: agent.id, ...agent.atFront },
    worded: await aWordedClient(product, 'acme'),
    assertSaml: agent.assertSaml,
    state: await aPublisherOf(product, 'acme'),
    keyed: { id: String(keyed['clientId']), kid: 'k', privateKey },
    pairwise: { id: 'pairwise', redirectUri: webRedirectUri },
    certified: { id: String(certified['clientId']), showing: (which) => certificates[which] },
    publish: documents.publish,
    resourceCredential: product.started.demonstration.resourceCredential,
    signIn: async (url) => (await walk(await aBrowser().open(url), { name: 'ada' })).page.url,
    browser: () => {
      const browser = aBrowser()
      return async (url) => (await walk(await browser.open(url), { name: 'ada' })).page.url
    },
    openGate: () => openGate(issuer, otherClientId),
  }
  const otherAtFront = await registerAt(product.publicUrl, { redirect_uris: [webRedirectUri], application_type: 'web' })
  // Ada's company knows it, too, from here on.
  await meetAcme(product.publicUrl, otherAtFront)
  const shared = Object.entries(target).filter(([name]) => !(ofOneCompany as readonly string[]).includes(name))
  targetAtFront = atFrontOf({
    ...(Object.fromEntries(shared) as Omit<Target, (typeof ofOneCompany)[number]>),
    issuer: product.publicUrl,
    otherClientId: otherAtFront,
    openGate: () => openGate(product.publicUrl, otherAtFront),
  })
}, 120_000)
afterAll(async () => {
  await product?.stop()
  documents?.close()
}, 60_000)

async function meetAcme(issuer: string, clientId: string): Promise<void> {
  const { url } = anAttempt({ issuer, clientId, resource: target.resource, redirectUri: webRedirectUri })
  await walk(await aBrowser().open(url), { name: 'ada' })
}

/** The front is told the company, so that its page is the first, too. */
async function openGate(issuer: string, clientId: string): Promise<Gate> {
  const browser = aBrowser()
  const change = { login_hint: 'ada@acme.example' }
  const { url } = anAttempt({ issuer, clientId, resource: target.resource, redirectUri: webRedirectUri, change })
  const page = await browser.open(url)
  const { action, fields } = page.form('answer=continue')
  const cookie = [...browser.cookies(page.url)].map(([name, value]) => `${name}=${value}`).join('; ')
  return { headers: page.headers, action: new URL(action, page.url).href, fields, cookie }
}

const rows = Object.entries(matrix)

it('names each requirement once', () => {
  const named = rows.flatMap(([, requirements]) => requirements.map(({ section, says }) => `${section} ${says}`))
  expect(new Set(named).size).toBe(named.length)
})

describe.each(rows)('%s', (_, requirements) => {
  it.each(requirements)('$section $level: $says', ({ ask }) => ask(target))
})

/** Clients and issuers of others that one company knows: at the front they say which company they mean, and have chapters of their own. */
const ofOneCompany = ['machine', 'keyed', 'certified', 'pairwise', 'agent', 'assert', 'assertSaml', 'gateway', 'worded', 'state'] as const
class OfOneCompany extends Error {}
const atFrontOf = (held: Omit<Target, (typeof ofOneCompany)[number]>): Target =>
  new Proxy(held as Target, {
    get: (own, name) => {
      if ((ofOneCompany as readonly (string | symbol)[]).includes(name)) throw new OfOneCompany(`asks for ${String(name)}`)
      return Reflect.get(own, name) as unknown
    },
  })

/** Chapters, and how many of their rows are asked of the front: a row that came to ask for what is one company's would be missed. */
const alsoAtFront: Readonly<Record<string, number>> = {
  'MCP authorization': 10,
  'Metadata and keys': 19,
  'Authorization endpoint': 32,
  'Pushed authorization requests': 15,
  'Clients that describe themselves': 23,
  'Dynamic registration': 11,
  'Token endpoint': 17,
  'What access tokens say': 4,
  'What ID tokens say': 7,
  Introspection: 6,
  Revocation: 4,
  'Sessions and sign-out': 2,
  'Tokens that are bound to a key': 5,
  Userinfo: 10,
  'Pages on which a person decides': 3,
}
/** Rows, by how they begin, that are not asked of the front, because it answers them in its own way. */
const otherwiseAtFront: Readonly<Record<string, string>> = {
  'warns ': 'the page with the warning comes after the one that asks where she works',
  'answers a request for one person': 'nobody is signed in silently before the front knows her company',
  'takes a request to sign out by GET': 'nobody is signed in silently before the front knows her company',
  'asks the person where the request has no ID token': 'nobody is signed in silently before the front knows her company',
  'gives tokens in its own name to no public client': 'who names no company is told to, before anything else',
  'answers 400 to a logout token': 'connections are those of companies',
}
const reasonOf = (says: string): string | undefined => Object.entries(otherwiseAtFront).find(([begins]) => says.startsWith(begins))?.[1]

const asked: Record<string, number> = {}
const atFront = rows
  .filter(([chapter]) => Object.hasOwn(alsoAtFront, chapter))
  .map(([chapter, requirements]) => [chapter, requirements.filter(({ says }) => reasonOf(says) === undefined)] as const)

describe.each(atFront)('at the front issuer: %s', (chapter, requirements) => {
  it.for(requirements)('$section $level: $says', async ({ ask }, { skip }) => {
    try {
      await ask(targetAtFront)
    } catch (error) {
      // Its clients and assertions are asked for in chapters of the front's own; how many these are is counted below.
      if (error instanceof OfOneCompany) return skip(error.message)
      throw error
    }
    asked[chapter] = (asked[chapter] ?? 0) + 1
  })
})

it('and of each chapter as many rows are asked there as there are that do not ask for what is one company’s', () => {
  expect(asked).toEqual(alsoAtFront)
})
