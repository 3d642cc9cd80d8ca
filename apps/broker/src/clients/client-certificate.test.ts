/** Clients that prove themselves by a certificate, through HTTP: what a proxy of ours may say, and what whoever else says it gets. */
import { randomUUID } from 'node:crypto'
import type { ClientId, Scope } from '@drawbridge/core/tenant/ids'
import { readEnv } from '@drawbridge/runtime/env'
import { insertClient } from '@drawbridge/store/clients'
import { inTenant } from '@drawbridge/store/transaction'
import { aBroker, type TestBroker } from '@drawbridge/testkit/a-broker'
import {
  aClientCertificate,
  alternative,
  asByteSequence,
  asPem,
  type CertificateParts,
  common,
  nameOf,
  organization,
  subjectAlternativeNames,
} from '@drawbridge/testkit/a-client-certificate'
import { type ATenant, aTenant } from '@drawbridge/testkit/a-tenant'
import { type TestDatabase, testDatabase } from '@drawbridge/testkit/database'
import { toldRefusals } from '@drawbridge/testkit/told-refusals'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const secret = 'of-the-proxy-0123456789abcdef0123'
const nextSecret = 'of-the-proxy-after-it-89abcdef0123'
const header = 'client-cert'
const environment = {
  DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER: header,
  DRAWBRIDGE_TRUSTED_PROXY_HOPS: '1',
  DRAWBRIDGE_PROXY_SECRETS: `${secret},${nextSecret}`,
  DRAWBRIDGE_MTLS_URL: 'https://mtls.example.com',
  DRAWBRIDGE_RATE_LIMIT_FACTOR: '100',
}
const name = 'CN=reports,O=Initech'
const good = aClientCertificate({ subject: nameOf(organization('Initech'), common('reports')) })
const goodHeader = asByteSequence(good.octets)

const told = toldRefusals()
let fixture: TestDatabase
let broker: TestBroker
let plain: TestBroker
let acme: ATenant
let globex: ATenant
const reports = 'reports' as ClientId

beforeAll(async () => {
  fixture = await testDatabase()
  acme = await aTenant(fixture, { slug: 'acme' })
  globex = await aTenant(fixture, { slug: 'globex' })
  broker = await aBroker(fixture.database, { settings: readEnv(environment), metrics: told.metrics })
  plain = await aBroker(fixture.database)
  for (const { tenantId, issuerId, slug } of [acme, globex])
    await inTenant(fixture.database, tenantId, (db) =>
      insertClient(db, tenantId, {
        id: reports,
        issuerId,
        kind: 'preregistered',
        name: 'Reports',
        redirectUris: [],
        grantTypes: ['client_credentials'],
        authMethod: 'tls_client_auth',
        certificateName: { kind: 'subject_dn', value: slug === 'acme' ? name : 'CN=reports,O=Globex' },
        secretHash: undefined,
        jwks: undefined,
        applicationType: 'web',
        preApproved: false,
        scopeCeiling: ['documents:read' as Scope],
        accessTokenTtlSeconds: undefined,
        postLogoutRedirectUris: [],
        now: broker.deps.clock.now(),
      }),
    )
})
afterAll(async () => {
  await broker.close()
  await plain.close()
  await fixture.close()
})

/** Asks for something harmless as the client; 400 (`unsupported_token_type` or none) is past the proof. */
async function revoke(
  headers: Readonly<Record<string, string>>,
  { at = broker, slug = 'acme', form = {} }: { at?: TestBroker; slug?: string; form?: Readonly<Record<string, string>> } = {},
) {
  const response = await fetch(`${at.url}/t/${slug}/revoke`, {
    method: 'POST',
    headers,
    body: new URLSearchParams({ client_id: reports, token: randomUUID(), ...form }),
  })
  return { status: response.status, text: await response.text() }
}
const proven = { status: 200, text: '' }
const shown = (certificate: string, of = secret) => ({ [header]: certificate, 'drawbridge-proxy-secret': of })
const headerOf = (parts: CertificateParts) => asByteSequence(aClientCertificate(parts).octets)
const refusals = async (ask: () => Promise<{ status: number; text: string }>) => {
  told.take()
  const { status, text } = await ask()
  return { status, error: text === '' ? undefined : JSON.parse(text).error, reason: told.take().join() }
}
const refused = (reason: string) => ({ status: 401, error: 'invalid_client', reason })

describe('a client with a certificate', () => {
  it('is proven by the one that our proxy hands on, in either form, and with either secret of ours', async () => {
    expect(await revoke(shown(goodHeader))).toEqual(proven)
    expect(await revoke(shown(encodeURIComponent(asPem(good.octets)), nextSecret))).toEqual(proven)
  })
  it('is proven by a renewed one with the same name', async () => {
    expect(await revoke(shown(headerOf({ subject: nameOf(organization('Initech'), common('reports')) })))).toEqual(proven)
  })
  it('is not proven by its name alone, nor by another way of proof', async () => {
    expect(await refusals(() => revoke({}))).toEqual(refused('client_certificate_missing'))
    expect(await refusals(() => revoke({ [header]: '', 'drawbridge-proxy-secret': secret }))).toEqual(refused('client_certificate_missing'))
    expect(await refusals(() => revoke(shown(goodHeader), { form: { client_secret: 'x' } }))).toEqual(
      refused('client_authentication_method'),
    )
  })
  it('gets a token at the token endpoint', async () => {
    const response = await fetch(`${broker.url}/t/acme/token`, {
      method: 'POST',
      headers: shown(goodHeader),
      body: new URLSearchParams({ client_id: reports, grant_type: 'client_credentials', resource: acme.resource }),
    })
    // There are no scopes here: it is past the proof, where a stranger is not.
    expect([response.status, await response.json()]).toEqual([400, expect.objectContaining({ error: 'invalid_scope' })])
  })
})

describe('whoever sends the header himself', () => {
  it('is nobody where the feature is off, whatever else he sends', async () => {
    const { status, text } = await revoke(shown(goodHeader), { at: plain })
    expect([status, JSON.parse(text).error]).toEqual([401, 'invalid_client'])
  })
  it.each([
    ['without a secret', { [header]: goodHeader }],
    ['with a wrong one', shown(goodHeader, 'x'.repeat(secret.length))],
    ['with an empty one', shown(goodHeader, '')],
    ['with both of ours at once, as Node joins two headers', shown(goodHeader, `${secret}, ${nextSecret}`)],
    ['with the setting itself', shown(goodHeader, environment.DRAWBRIDGE_PROXY_SECRETS)],
    ['as if he came through proxies', { [header]: goodHeader, 'x-forwarded-for': '127.0.0.1', forwarded: 'for=127.0.0.1' }],
  ])('is a stranger %s', async (_, headers) => {
    expect(await refusals(() => revoke(headers))).toEqual(refused('client_certificate_of_stranger'))
  })
  it('is not heard by another name of the header', async () => {
    expect(
      await refusals(() => revoke({ 'x-ssl-client-cert': goodHeader, client_cert: goodHeader, 'drawbridge-proxy-secret': secret })),
    ).toEqual(refused('client_certificate_missing'))
  })
  it('gains nothing by a second header beside that of the proxy', async () => {
    const response = await fetch(`${broker.url}/t/acme/revoke`, {
      method: 'POST',
      headers: [
        [header, goodHeader],
        [header, headerOf({ subject: nameOf(common('evil')) })],
        ['drawbridge-proxy-secret', secret],
      ],
      body: new URLSearchParams({ client_id: reports, token: 'x' }),
    })
    expect(response.status).toBe(401)
  })
})

describe('a certificate that our proxy hands on, and that is not the client’s', () => {
  it.each([
    ['of another name', { subject: nameOf(organization('Initech'), common('payroll')) }],
    ['of a name with the same text, in another structure', { subject: nameOf(common('reports,O=Initech')) }],
    ['of the same levels the other way round', { subject: nameOf(common('reports'), organization('Initech')) }],
    [
      'that has the name among its alternative names',
      { subject: nameOf(common('x')), extensions: [subjectAlternativeNames(alternative('dns', 'reports'))] },
    ],
  ])('proves nothing: one %s', async (_, parts) => {
    expect(await refusals(() => revoke(shown(headerOf(parts))))).toEqual(refused('client_certificate_of_other'))
  })
  it('is judged by its time too, though the proxy let it in', async () => {
    const subject = nameOf(organization('Initech'), common('reports'))
    const [past, future] = [new Date(Date.now() - 60_000), new Date(Date.now() + 3_600_000)]
    for (const parts of [
      { subject, until: past },
      { subject, from: future },
    ])
      expect(await refusals(() => revoke(shown(headerOf(parts))))).toEqual(refused('client_certificate_not_in_force'))
  })
  it.each([
    ['no certificate', ':AAAA:'],
    ['no base64', ':*:'],
    ['neither form', good.octets.toString('base64')],
    ['cut', goodHeader.slice(0, -6)],
    ['huge', `:${'A'.repeat(20_000)}:`],
  ])('is no certificate when it is %s', async (_, text) => {
    expect(await refusals(() => revoke(shown(text)))).toEqual(refused('client_certificate_malformed'))
  })
  it('does not prove the client of the same id at another tenant', async () => {
    expect(await refusals(() => revoke(shown(goodHeader), { slug: 'globex' }))).toEqual(refused('client_certificate_of_other'))
  })
  it('takes nothing from clients that prove themselves otherwise: what they do not need is not read', async () => {
    const id = acme.clientId
    expect(await revoke(shown(':*:'), { form: { client_id: id } })).toEqual(proven)
  })
})

describe('what an issuer says of certificates', () => {
  const metadataOf = async (at: TestBroker) =>
    (await (await fetch(`${at.url}/.well-known/oauth-authorization-server/t/acme`)).json()) as Record<string, unknown>
  it('is that they are believed, and where they are asked for, only where the feature is on', async () => {
    expect(await metadataOf(broker)).toMatchObject({
      token_endpoint_auth_methods_supported: expect.arrayContaining(['tls_client_auth']),
      revocation_endpoint_auth_methods_supported: expect.arrayContaining(['tls_client_auth']),
      mtls_endpoint_aliases: {
        token_endpoint: 'https://mtls.example.com/t/acme/token',
        revocation_endpoint: 'https://mtls.example.com/t/acme/revoke',
        pushed_authorization_request_endpoint: 'https://mtls.example.com/t/acme/par',
      },
    })
    const off = await metadataOf(plain)
    expect(off['token_endpoint_auth_methods_supported']).not.toContain('tls_client_auth')
    expect(off).not.toHaveProperty('mtls_endpoint_aliases')
  })
})

describe('a client that registers itself with a certificate', () => {
  const register = async (body: object, at = broker) => {
    const response = await fetch(`${at.url}/t/acme/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ redirect_uris: ['https://app.example/cb'], token_endpoint_auth_method: 'tls_client_auth', ...body }),
    })
    return { status: response.status, body: (await response.json()) as Record<string, string> }
  }
  it('is told the name by which it is known, is proven by it, and is another client with another one', async () => {
    const { status, body } = await register({ tls_client_auth_san_dns: 'App.Example' })
    expect([status, body]).toMatchObject([201, { token_endpoint_auth_method: 'tls_client_auth', tls_client_auth_san_dns: 'app.example' }])
    expect(body).not.toHaveProperty('client_secret')
    const certificate = headerOf({ extensions: [subjectAlternativeNames(alternative('dns', 'app.example'))] })
    const form = { client_id: body['client_id'] as string }
    expect(await revoke(shown(certificate), { form })).toEqual(proven)
    const answered = await fetch(body['registration_client_uri']?.replace(/^http:\/\/[^/]+/, broker.url) ?? '', {
      method: 'PUT',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${body['registration_access_token']}` },
      body: JSON.stringify({
        client_id: body['client_id'],
        redirect_uris: ['https://app.example/cb'],
        token_endpoint_auth_method: 'tls_client_auth',
        tls_client_auth_san_dns: 'other.example',
      }),
    })
    expect([answered.status, await answered.json()]).toMatchObject([200, { tls_client_auth_san_dns: 'other.example' }])
    expect(await refusals(() => revoke(shown(certificate), { form }))).toEqual(refused('client_certificate_of_other'))
  })
  it.each([
    ['no name', {}],
    ['two names', { tls_client_auth_san_dns: 'a.example', tls_client_auth_subject_dn: 'CN=a' }],
    ['what is no name', { tls_client_auth_subject_dn: 'CN=a, O=b' }],
    ['a wildcard', { tls_client_auth_san_dns: '*.example' }],
    ['a name without the method', { tls_client_auth_san_dns: 'a.example', token_endpoint_auth_method: 'client_secret_basic' }],
  ])('is refused when it says %s', async (_, body) => {
    expect(await register(body)).toMatchObject({ status: 400, body: { error: 'invalid_client_metadata' } })
  })
  it('is refused where the feature is off', async () => {
    expect(await register({ tls_client_auth_san_dns: 'a.example' }, plain)).toMatchObject({ status: 400 })
  })
})

describe('an admin who registers a client with a certificate', () => {
  const create = async (body: object) => {
    const response = await fetch(`${broker.url}/admin/v1/tenants/acme/clients`, {
      method: 'POST',
      headers: { authorization: `Bearer ${broker.adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'Robot', grantTypes: ['client_credentials'], tokenEndpointAuthMethod: 'tls_client_auth', ...body }),
    })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  it('says one name, reads it in the form in which it is compared, and is shown no secret', async () => {
    const { status, body } = await create({ certificateName: { kind: 'san_ip', value: '2001:DB8:0:0::1' } })
    expect([status, body]).toMatchObject([201, { certificateName: { kind: 'san_ip', value: '2001:db8::1' } }])
    expect(body).not.toHaveProperty('clientSecret')
    const certificate = headerOf({
      extensions: [subjectAlternativeNames(alternative('ip', Buffer.from('20010db8000000000000000000000001', 'hex')))],
    })
    expect(await revoke(shown(certificate), { form: { client_id: String(body['clientId']) } })).toEqual(proven)
  })
  it.each([
    ['no name', {}],
    ['what is no name', { certificateName: { kind: 'subject_dn', value: 'reports' } }],
    ['a name of no kind', { certificateName: { kind: 'common_name', value: 'reports' } }],
    [
      'a name beside a secret',
      { certificateName: { kind: 'san_dns', value: 'a.example' }, tokenEndpointAuthMethod: 'client_secret_basic' },
    ],
  ])('is refused with %s', async (_, body) => {
    expect((await create(body)).status).toBe(400)
  })
})
