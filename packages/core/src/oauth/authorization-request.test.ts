import fc from 'fast-check'
import { expect, test } from 'vitest'
import { instant } from '../instant.js'
import type { ClientId, IssuerId, ResourceId, ResourceIdentifier, Scope, TenantId } from '../tenant/ids.js'
import { acceptRequest, matchClient, parseAuthorizationRequest, type RequestRules } from './authorization-request.js'
import type { Client } from './client.js'
import type { ResourceServer } from './resource.js'

const client: Client = {
  tenantId: 't' as TenantId,
  issuerId: 'i' as IssuerId,
  id: 'c' as ClientId,
  kind: 'preregistered',
  name: 'Client',
  postLogoutRedirectUris: [],
  redirectUris: ['https://app.example/cb'],
  grantTypes: ['authorization_code'],
  authMethod: 'none',
  secrets: [],
  jwks: undefined,
  applicationType: 'web',
  preApproved: false,
  scopeCeiling: [],
  accessTokenTtlSeconds: undefined,
  epoch: 1,
  blockedAt: undefined,
  documentExpiresAt: undefined,
  version: 1,
}
const resource: ResourceServer = {
  tenantId: 't' as TenantId,
  id: 'r' as ResourceId,
  identifier: 'https://mcp.example/mcp' as ResourceIdentifier,
  name: 'Tools',
  accessTokenTtlSeconds: undefined,
  scopes: [
    { name: 'read' as Scope, tier: 'read', description: 'Read', isDefault: true },
    { name: 'write' as Scope, tier: 'write', description: 'Write', isDefault: false },
  ],
}
const other: ResourceServer = { ...resource, id: 'o' as ResourceId, identifier: 'https://other.example' as ResourceIdentifier }
const good = {
  client_id: 'c',
  redirect_uri: 'https://app.example/cb',
  response_type: 'code',
  code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
  code_challenge_method: 'S256',
  resource: 'https://mcp.example/mcp',
  state: 's',
}

function judge(query: Record<string, string | undefined>, who: Client = client, rules: Partial<RequestRules> = {}) {
  const defined = Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined)) as Record<string, string>
  const claimed = parseAuthorizationRequest(defined)
  if (!claimed.ok) return claimed
  const answerable = matchClient(claimed.value, who)
  return answerable.ok
    ? acceptRequest(answerable.value, { resources: [resource, other], told: [], isPushed: false, requirePushedRequests: false, ...rules })
    : answerable
}

test.each([
  { when: 'client_id is absent', change: { client_id: undefined }, reason: 'authorization_request_malformed' },
  { when: 'redirect_uri is another’s', change: { redirect_uri: 'https://evil.example/cb' }, reason: 'redirect_uri_unregistered' },
  { when: 'response_type is token', change: { response_type: 'token' }, reason: 'response_type_unsupported' },
  { when: 'response_type is absent', change: { response_type: undefined }, reason: 'authorization_parameter_malformed' },
  { when: 'there is no challenge', change: { code_challenge: undefined }, reason: 'pkce_missing' },
  { when: 'the method is plain', change: { code_challenge_method: 'plain' }, reason: 'pkce_method_unsupported' },
  { when: 'the resource is unknown', change: { resource: 'https://unknown.example' }, reason: 'resource_unknown' },
  { when: 'the resource is absent and there are several', change: { resource: undefined }, reason: 'resource_missing' },
  { when: 'no requested scope exists', change: { scope: 'nothing' }, reason: 'scope_unknown' },
  { when: 'scope is malformed', change: { scope: 'a"b' }, reason: 'scope_malformed' },
  { when: 'prompt=none has company', change: { prompt: 'none login' }, reason: 'prompt_unsupported' },
  { when: 'a request object comes', change: { request: 'e30.e30.' }, reason: 'request_object_unsupported' },
  { when: 'the address of one comes', change: { request_uri: 'https://agent.example/request' }, reason: 'request_uri_unsupported' },
  { when: 'the response mode is fragment', change: { response_mode: 'fragment' }, reason: 'response_mode_unsupported' },
  { when: 'state is too long', change: { state: 'x'.repeat(2049) }, reason: 'authorization_parameter_malformed' },
])('refused when $when', ({ change, reason }) => {
  const judged = judge({ ...good, ...change })
  expect(judged.ok ? 'accepted' : judged.error.reason).toBe(reason)
})

test.each([
  { when: 'a slash is appended to the resource', change: { resource: 'https://mcp.example/mcp/' }, scopes: ['read'] },
  { when: 'the host is in capitals', change: { resource: 'https://MCP.example/mcp' }, scopes: ['read'] },
  { when: 'an unknown scope stands beside a known one', change: { scope: 'write nothing' }, scopes: ['write'] },
  { when: 'only scopes of the protocol are asked for', change: { scope: 'openid offline_access' }, scopes: ['read'] },
])('accepted when $when', ({ change, scopes }) => {
  const judged = judge({ ...good, ...change })
  expect(judged.ok && judged.value.scopes).toEqual(scopes)
  expect(judged.ok && judged.value.resource.identifier).toBe(resource.identifier)
})

test('a blocked client gets a page', () => {
  const judged = judge(good, { ...client, blockedAt: instant(1) })
  expect(judged.ok ? 'accepted' : judged.error.reason).toBe('client_blocked')
})

test('no query makes the parsers throw', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom(...Object.keys(good), 'scope', 'prompt', 'max_age'), fc.string()),
      (query) => void judge({ ...good, ...query }),
    ),
  )
})

test.each([
  { when: 'the tenant demands it', who: client, rules: { requirePushedRequests: true } },
  { when: 'its client demands it', who: { ...client, requirePushedAuthorizationRequests: true }, rules: {} },
])('a request that was not pushed is refused where $when, and one that was is not (RFC 9126 §5, §6)', ({ who, rules }) => {
  expect(judge(good, who, rules)).toMatchObject({ ok: false, error: { reason: 'pushed_request_required' } })
  expect(judge(good, who, { ...rules, isPushed: true })).toMatchObject({ ok: true, value: { isPushed: true } })
})
