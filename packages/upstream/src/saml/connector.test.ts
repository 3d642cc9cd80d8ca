import { addSeconds } from '@drawbridge/core/instant'
import { Secret } from '@drawbridge/core/secret'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { systemRandom } from '@drawbridge/crypto/random'
import { expect, test } from 'vitest'
import { parseConnection, type SamlConnection } from '../connection-configuration.js'
import type { UpstreamMessage } from '../connector.js'
import { samlConnector } from './connector.js'
import { aFixtureKey } from './fixtures/a-certificate.js'
import { assertionXml, encodeMessage, fixtureParties, responseXml, signXml } from './fixtures/a-saml-response.js'

const key = aFixtureKey()
const { acsUrl, requestId, now, idpEntityId } = fixtureParties

function connector() {
  const parsed = parseConnection('saml', { idpEntityId, ssoUrl: 'https://idp.acme.example/sso', certificates: [key.certificate] })
  if (!parsed.ok) throw new Error(parsed.error.reason)
  return samlConnector({ random: systemRandom() }, 'c1' as ConnectionId, parsed.value as SamlConnection)
}
const stateOf = (more: Record<string, unknown> = {}) =>
  new Secret(JSON.stringify({ requestId, startedAt: addSeconds(now, -30), fresh: false, ...more }))
const posted = (xml: string): UpstreamMessage => ({ binding: 'post', parameters: new Map([['SAMLResponse', encodeMessage(xml)]]) })
const good = posted(signXml(responseXml(), '_response1', key))
const finish = (message: UpstreamMessage, state = stateOf()) =>
  connector().finish(message, { upstreamId: requestId, state, callbackUrl: acsUrl, now })

test('a posted response that answers the login is believed', async () => {
  expect(await finish(good)).toMatchObject({
    ok: true,
    value: { connectionId: 'c1', authnContextClassRef: 'https://refeds.org/profile/mfa' },
  })
})

test('after asking for a fresh login, an older AuthnInstant is refused and a fresh one believed', async () => {
  const authnInstant = new Date(now - 3600_000).toISOString()
  const statement = `<saml:AuthnStatement AuthnInstant="${authnInstant}"/>`
  const stale = posted(signXml(responseXml({ assertions: assertionXml({ authnStatement: statement }) }), '_response1', key))
  expect(await finish(stale)).toMatchObject({ ok: true })
  expect(await finish(stale, stateOf({ fresh: true }))).toMatchObject({ ok: false, error: { reason: 'saml_authn_not_fresh' } })
  expect(await finish(good, stateOf({ fresh: true }))).toMatchObject({ ok: true })
})

test('another binding, a missing parameter and an unreadable state are refused by name', async () => {
  expect(await finish({ ...good, binding: 'redirect', query: '' })).toMatchObject({
    ok: false,
    error: { reason: 'saml_binding_unsupported' },
  })
  expect(await finish({ binding: 'post', parameters: new Map() })).toMatchObject({ ok: false, error: { reason: 'saml_response_missing' } })
  expect(await finish(good, new Secret('not json'))).toMatchObject({ ok: false, error: { reason: 'login_state_invalid' } })
  expect(await finish(good, stateOf({ requestId: '_other' }))).toMatchObject({ ok: false, error: { reason: 'login_state_invalid' } })
})

test('a response to another login of the same IdP is refused', async () => {
  const upstreamId = '_another'
  const verdict = await connector().finish(good, { upstreamId, state: stateOf({ requestId: upstreamId }), callbackUrl: acsUrl, now })
  expect(verdict).toMatchObject({ ok: false, error: { reason: 'saml_in_response_to_wrong' } })
})
