import { expect, test } from 'vitest'
import { addSeconds, instant } from '../instant.js'
import type { ClientId, DeviceCodeId, IssuerId } from '../tenant/ids.js'
import type { Client } from './client.js'
import { acceptDeviceRequest, type DeviceCodeState, deviceRedirectUri, judgeDevicePoll, toPendingDeviceRequest } from './device-code.js'
import { deviceGrantType } from './device-grant-type.js'
import { pendingRequestFromJson } from './pending-request.js'
import { isAcceptableRedirectUri } from './redirect-uri.js'
import type { ResourceServer } from './resource.js'

const now = instant(1_800_000_000_000)
const caller = { issuerId: 'i' as IssuerId, clientId: 'c' as ClientId, clientVersion: 3 }
const waiting: DeviceCodeState = {
  issuerId: caller.issuerId,
  clientId: caller.clientId,
  caller: { clientVersion: 3 },
  isOffered: true,
  isAboveBarrier: true,
  decided: undefined,
  expiresAt: addSeconds(now, 900),
  polledAt: undefined,
  intervalSeconds: 5,
}
const early = { polledAt: addSeconds(now, -1) }

test.each([
  { when: 'nobody has answered', change: {}, is: 'device_pending' },
  { when: 'the person said yes', change: { decided: 'yes' }, is: 'redeem' },
  { when: 'she said yes, and its own time is over since', change: { decided: 'yes', expiresAt: now }, is: 'redeem' },
  { when: 'she said no', change: { decided: 'no' }, is: 'device_denied' },
  { when: 'she said no, and the poll is early', change: { decided: 'no', ...early }, is: 'device_denied' },
  { when: 'its time is over at this very moment', change: { expiresAt: now }, is: 'device_code_expired' },
  { when: 'its time is over, and the poll is early', change: { expiresAt: now, ...early }, is: 'device_code_expired' },
  { when: 'the poll is early', change: early, is: 'device_polled_early' },
  { when: 'she said yes, and the poll is early', change: { decided: 'yes', ...early }, is: 'device_polled_early' },
  { when: 'the poll is early by what networks do', change: { polledAt: addSeconds(now, -4) }, is: 'device_pending' },
  { when: 'the interval has grown', change: { polledAt: addSeconds(now, -5), intervalSeconds: 10 }, is: 'device_polled_early' },
  { when: 'the tenant lets no device ask any more', change: { isOffered: false, decided: 'yes' }, is: 'device_grant_off' },
  { when: 'a barrier was raised', change: { isAboveBarrier: false, decided: 'yes' }, is: 'device_code_below_barrier' },
  { when: 'it is of another client', change: { clientId: 'other' as ClientId, isAboveBarrier: false }, is: 'device_code_of_other_client' },
  {
    when: 'it is of another issuer',
    change: { issuerId: 'other' as IssuerId, clientId: 'other' as ClientId },
    is: 'device_code_of_other_issuer',
  },
  { when: 'the client has changed', change: { caller: { clientVersion: 4 }, issuerId: 'other' as IssuerId }, is: 'client_changed' },
] as readonly { when: string; change: Partial<DeviceCodeState>; is: string }[])('a poll is answered $is when $when', ({ change, is }) => {
  expect(judgeDevicePoll({ ...waiting, ...change }, caller, now)).toBe(is)
})

const resource = { identifier: 'https://mcp.example', scopes: [{ name: 'read', isDefault: true }] } as unknown as ResourceServer
const client = { id: 'c', grantTypes: [deviceGrantType] } as unknown as Client
const accept = (parameters: Record<string, string>, of = client) => acceptDeviceRequest(of, parameters, { resources: [resource], told: [] })

test('what a device asks for is parsed as at the authorization endpoint, and kept as a request that is answered here', () => {
  const accepted = accept({
    scope: 'read openid',
    acr_values: 'mfa',
    max_age: '60',
    prompt: 'none',
    login_hint: 'ada',
    redirect_uri: 'https://evil.example',
  })
  if (!accepted.ok) throw new Error('refused')
  const kept = toPendingDeviceRequest(accepted.value, { deviceCodeId: 'd' as DeviceCodeId, codeChallenge: 'x' })
  expect(kept).toMatchObject({
    deviceCodeId: 'd',
    scopes: ['read'],
    identityScopes: ['openid'],
    acrValues: ['mfa'],
    maxAge: 60,
    prompt: [],
    loginHint: undefined,
  })
  const read = pendingRequestFromJson(JSON.parse(JSON.stringify(kept)))
  expect(read.ok && read.value).toMatchObject({ deviceCodeId: 'd', codeChallenge: 'x', resource: 'https://mcp.example' })
  expect(read.ok && 'redirectUri' in read.value).toBe(false)
})

test.each([
  { given: { scope: 'nothing' }, reason: 'scope_unknown' },
  { given: { scope: 'a"b' }, reason: 'scope_malformed' },
  { given: { resource: 'https://other.example' }, reason: 'resource_unknown' },
  { given: { max_age: '-1' }, reason: 'authorization_parameter_malformed' },
  { given: { acr_values: '\u0000' }, reason: 'authorization_parameter_malformed' },
  { given: { request: 'x' }, reason: 'request_object_unsupported' },
  { given: { request_uri: 'https://agent.example/request' }, reason: 'request_uri_unsupported' },
])('asked with $given a device is refused as $reason', ({ given, reason }) => {
  const refused = accept(given as unknown as Record<string, string>)
  expect(!refused.ok && refused.error.reason).toBe(reason)
})

test('a client that is not registered for it is refused', () => {
  const refused = accept({}, { ...client, grantTypes: ['authorization_code'] })
  expect(!refused.ok && refused.error.reason).toBe('grant_type_not_for_client')
})

test('what stands in a code in place of a redirect URI can be registered by nobody', () => {
  expect(isAcceptableRedirectUri(deviceRedirectUri)).toBe(false)
})
