import { inflateRawSync } from 'node:zlib'
import { instant } from '@drawbridge/core/instant'
import type { ConnectionId } from '@drawbridge/core/tenant/ids'
import { systemRandom } from '@drawbridge/crypto/random'
import { expect, test } from 'vitest'
import { parseConnection, type SamlConnection } from '../connection-configuration.js'
import type { StartedLogin, StartLogin } from '../connector.js'
import { samlConnector } from './connector.js'
import { aFixtureKey } from './fixtures/a-certificate.js'

const { certificate } = aFixtureKey()

async function start(
  more: Record<string, unknown> = {},
  request: Partial<StartLogin> = {},
): Promise<{ started: StartedLogin; xml: string; url: URL }> {
  const parsed = parseConnection('saml', {
    idpEntityId: 'urn:idp',
    ssoUrl: 'https://idp.example/sso?idpid=C1',
    certificates: [certificate],
    ...more,
  })
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error))
  const connector = samlConnector({ random: systemRandom() }, 'c1' as ConnectionId, parsed.value as SamlConnection)
  const defaults: StartLogin = {
    loginRequestId: 'l',
    callbackUrl: 'https://b.example/t/a/saml/c/acs',
    relayState: 'handle',
    stepUpAcr: undefined,
    forceAuthn: false,
    now: instant(Date.UTC(2026, 0, 1)),
  }
  const started = await connector.start({ ...defaults, ...request })
  if (!started.ok) throw new Error(started.error.reason)
  const { answer } = started.value
  const url = new URL(answer.kind === 'redirect' ? answer.url : answer.action)
  const encoded = answer.kind === 'redirect' ? (url.searchParams.get('SAMLRequest') ?? '') : (answer.fields['SAMLRequest'] ?? '')
  const octets = Buffer.from(encoded, 'base64')
  return { started: started.value, url, xml: (answer.kind === 'redirect' ? inflateRawSync(octets) : octets).toString('utf8') }
}

test('the request is bare: no policy, no context, no subject, no ForceAuthn', async () => {
  const { xml, url, started } = await start({}, { loginHint: 'ada@acme.example' })
  expect(xml).not.toMatch(/RequestedAuthnContext|NameIDPolicy|Subject|ForceAuthn|Signature/)
  expect(xml).toContain(`ID="${started.upstreamId}"`)
  expect(xml).toContain('<saml:Issuer>https://b.example/t/a/saml/c/metadata</saml:Issuer>')
  expect([...url.searchParams.keys()]).toEqual(['idpid', 'SAMLRequest', 'RelayState'])
})

test('a step-up asks for REFEDS MFA, exactly, and for a fresh login', async () => {
  const { xml } = await start({}, { stepUpAcr: 'mfa' })
  expect(xml).toContain('ForceAuthn="true"')
  expect(xml).toContain(
    '<samlp:RequestedAuthnContext Comparison="exact"><saml:AuthnContextClassRef>https://refeds.org/profile/mfa</saml:AuthnContextClassRef>',
  )
})

test('a step-up without class (Entra, Okta) is ForceAuthn alone', async () => {
  const { xml } = await start({ stepUpClassRef: null }, { stepUpAcr: 'mfa' })
  expect(xml).toContain('ForceAuthn="true"')
  expect(xml).not.toContain('RequestedAuthnContext')
})

test('the POST binding gives a form, and configured values are escaped', async () => {
  const { xml, started } = await start({
    ssoBinding: 'post',
    spEntityId: 'urn:a"<&>\'b',
    nameIdFormat: 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
  })
  expect(started.answer).toMatchObject({ kind: 'form', fields: { RelayState: 'handle' } })
  expect(xml).toContain('<saml:Issuer>urn:a&quot;&lt;&amp;&gt;&apos;b</saml:Issuer>')
  expect(xml).toContain('nameid-format:persistent')
})

test('a login hint goes only into the configured parameter', async () => {
  const { url } = await start({ loginHintParameter: 'username' }, { loginHint: 'ada@acme.example' })
  expect(url.searchParams.get('username')).toBe('ada@acme.example')
})

test('the state does not print what it holds', async () => {
  const { started } = await start()
  expect(JSON.stringify(started)).not.toContain('startedAt')
})

test('a choice of account is asked for by ForceAuthn, and the answer is not judged by it', async () => {
  const { xml, started } = await start({}, { selectAccount: true })
  expect(xml).toContain(' ForceAuthn="true"')
  expect(JSON.parse(started.state.reveal())).toMatchObject({ fresh: false })
})

test.each([
  { wish: ['urn:b'], refs: ['urn:b'] },
  { wish: ['urn:c', 'multi_factor'], refs: ['https://refeds.org/profile/mfa'] },
  { wish: ['urn:c'], refs: ['urn:a', 'urn:b'] },
  { wish: [], refs: ['urn:a', 'urn:b'] },
])('of what a client wishes ($wish) the IdP is asked for what its connection lists: $refs', async ({ wish, refs }) => {
  const { xml } = await start({ requestedClassRefs: ['urn:a', 'urn:b'] }, { acrValues: wish })
  expect([...xml.matchAll(/ClassRef>([^<]+)</g)].map(([, ref]) => ref)).toEqual(refs)
  expect(xml).not.toContain('ForceAuthn')
})
