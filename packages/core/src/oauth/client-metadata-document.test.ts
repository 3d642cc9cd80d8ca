import { expect, test } from 'vitest'
import { isDocumentUrl, parseClientMetadataDocument } from './client-metadata-document.js'
import { parseRegistrationRequest } from './registration-request.js'

const url = 'https://client.example/metadata.json'
/** RFC 7515 Appendix A.3.1 */
const ecKey = {
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
}
const document = { client_id: url, client_name: 'Client', redirect_uris: ['http://127.0.0.1/cb'] }

test.each([
  { given: url, is: true },
  { given: 'https://client.example', is: false },
  { given: 'https://client.example/', is: false },
  { given: 'https://client.example/a/../b', is: false },
  { given: 'https://client.example/a/%2e%2E/b', is: false },
  { given: 'https://user@client.example/a', is: false },
  { given: 'https://client.example/a#b', is: false },
  { given: 'http://client.example/a', is: false },
  { given: 'http://127.0.0.1:4420/a', is: false },
])('$given is a document URL: $is', ({ given, is }) => {
  expect(isDocumentUrl(given, { allowLoopback: false })).toBe(is)
})

test('a loopback document URL needs a lab or demonstration', () => {
  expect(isDocumentUrl('http://127.0.0.1:4420/a', { allowLoopback: true })).toBe(true)
})

test.each([
  { when: 'client_id differs by a slash', change: { client_id: `${url}/` }, field: 'client_id' },
  { when: 'a secret is published', change: { client_secret: 'x' }, field: 'client_secret' },
  {
    when: 'a method with a shared secret is named',
    change: { token_endpoint_auth_method: 'client_secret_basic' },
    field: 'token_endpoint_auth_method',
  },
  { when: 'a redirect URI is plain http', change: { redirect_uris: ['http://a.example/'] }, field: 'redirect_uris' },
  { when: 'a private key is published', change: { jwks: { keys: [{ ...ecKey, d: 'd' }] } }, field: 'jwks' },
  { when: 'keys are said twice', change: { jwks: { keys: [] }, jwks_uri: 'https://client.example/jwks' }, field: 'jwks_uri' },
  { when: 'keys are published without TLS', change: { jwks_uri: 'http://client.example/jwks' }, field: 'jwks_uri' },
  { when: 'keys are at a repaired address', change: { jwks_uri: 'https://client.example\\@other.example/jwks' }, field: 'jwks_uri' },
  { when: 'keys are at a stranger’s', change: { jwks_uri: 'https://victim.example/jwks' }, field: 'jwks_uri' },
  { when: 'keys are at a host below its own', change: { jwks_uri: 'https://keys.client.example/jwks' }, field: 'jwks_uri' },
  { when: 'keys are at a host above its own', change: { jwks_uri: 'https://example/jwks' }, field: 'jwks_uri' },
  { when: 'a shared key is published', change: { jwks: { keys: [{ kty: 'oct', k: 'k' }] } }, field: 'jwks' },
  {
    when: 'it has logouts told at a stranger’s',
    change: { backchannel_logout_uri: 'https://victim.example/logout' },
    field: 'backchannel_logout_uri',
  },
  {
    when: 'it sends browsers after a logout where nothing is safe',
    change: { post_logout_redirect_uris: ['http://client.example/bye'] },
    field: 'post_logout_redirect_uris',
  },
  { when: 'there is no name', change: { client_name: ' ' }, field: 'client_name' },
])('a document is refused when $when', ({ change, field }) => {
  expect(parseClientMetadataDocument(url, { ...document, ...change })).toEqual({ ok: false, error: { field } })
})

test('keys may be at the host of the document, and at one where the tenant has documents be', () => {
  const judge = (jwks_uri: string, documentHosts: readonly string[]) => {
    const parsed = parseClientMetadataDocument(url, { ...document, jwks_uri }, documentHosts)
    return parsed.ok ? parsed.value.jwksUri : parsed.error.field
  }
  for (const own of ['https://client.example/jwks', 'https://client.example:8443/jwks', 'https://CLIENT.example./jwks'])
    expect(judge(own, [])).toBe(own)
  expect(judge('https://keys.example/jwks', ['client.example', 'keys.example'])).toBe('https://keys.example/jwks')
  expect(judge('https://keys.example/jwks', ['client.example'])).toBe('jwks_uri')
})

test('a plain document is a public client for the code grant', () => {
  const parsed = parseClientMetadataDocument(url, document)
  expect(parsed.ok && parsed.value).toMatchObject({ authMethod: 'none', grantTypes: ['authorization_code'] })
})

test('a client says where it has browsers sent after a logout', () => {
  const post_logout_redirect_uris = ['https://client.example/bye', 'http://127.0.0.1/bye']
  const parsed = parseClientMetadataDocument(url, { ...document, post_logout_redirect_uris })
  expect(parsed.ok && parsed.value.postLogoutRedirectUris).toEqual(post_logout_redirect_uris)
  const registered = parseRegistrationRequest({
    redirect_uris: ['https://client.example/cb', 'http://127.0.0.1/cb'],
    post_logout_redirect_uris,
  })
  expect(registered.ok && registered.value.postLogoutRedirectUris).toEqual(post_logout_redirect_uris)
})

test('a client may hear of logouts where it is', () => {
  const backchannel_logout_uri = 'https://client.example/logout'
  const parsed = parseClientMetadataDocument(url, { ...document, backchannel_logout_uri, backchannel_logout_session_required: true })
  expect(parsed.ok && parsed.value).toMatchObject({ backchannelLogoutUri: backchannel_logout_uri, backchannelLogoutSessionRequired: true })
  const registered = parseRegistrationRequest({ redirect_uris: ['https://client.example/cb'], backchannel_logout_uri })
  expect(registered.ok && registered.value).toMatchObject({
    backchannelLogoutUri: backchannel_logout_uri,
    backchannelLogoutSessionRequired: false,
  })
})

test.each([
  { when: 'there is no redirect URI', body: {}, reason: 'registration_redirect_uri' },
  { when: 'a redirect URI is unusable', body: { redirect_uris: ['javascript:x'] }, reason: 'registration_redirect_uri' },
  {
    when: 'keys are announced and absent',
    body: { redirect_uris: ['https://a.example/cb'], token_endpoint_auth_method: 'private_key_jwt' },
    reason: 'registration_malformed',
  },
  {
    when: 'a private key is handed over',
    body: {
      redirect_uris: ['https://a.example/cb'],
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [{ ...ecKey, d: 'd' }] },
    },
    reason: 'registration_malformed',
  },
  {
    when: 'only client_credentials is asked for',
    body: { redirect_uris: ['https://a.example/cb'], grant_types: ['client_credentials'] },
    reason: 'registration_malformed',
  },
  {
    when: 'logouts are to be told at a stranger’s',
    body: { redirect_uris: ['https://a.example/cb'], backchannel_logout_uri: 'https://victim.example/logout' },
    reason: 'registration_malformed',
  },
  {
    when: 'browsers are to be sent to a script after a logout',
    body: { redirect_uris: ['https://a.example/cb'], post_logout_redirect_uris: ['javascript:alert(1)'] },
    reason: 'registration_malformed',
  },
  {
    when: 'browsers are to be sent to a stranger’s after a logout',
    body: { redirect_uris: ['https://a.example/cb'], post_logout_redirect_uris: ['https://a.example/bye', 'https://victim.example/bye'] },
    reason: 'registration_post_logout_redirect_uri',
  },
  { when: 'it is no object', body: undefined, reason: 'registration_malformed' },
])('registration is refused when $when', ({ body, reason }) => {
  const parsed = parseRegistrationRequest(body)
  expect(parsed.ok ? 'accepted' : parsed.error.reason).toBe(reason)
})
