/** What we ask and answer: the words of it, and when there are none. */
import { instant } from '@drawbridge/core/instant'
import { Secret } from '@drawbridge/core/secret'
import { systemRandom } from '@drawbridge/crypto/random'
import { beforeAll, expect, test } from 'vitest'
import { parseConnection, type SamlConnection } from '../connection-configuration.js'
import { aFixtureKey } from './fixtures/a-certificate.js'
import { aServiceProvider } from './fixtures/a-service-provider.js'
import { answerLogout, answerLogoutBySoap, finishSamlLogout, startSamlLogout } from './logout.js'
import { noServiceProvider, type ServiceProvider } from './service-provider.js'

const sloUrl = 'https://broker.example/t/acme/saml/c1/slo'
const now = instant(Date.UTC(2026, 10, 28))
const certificate = aFixtureKey().certificate
let serviceProvider: ServiceProvider
beforeAll(async () => {
  serviceProvider = await aServiceProvider()
})

function partyWith(more: Record<string, unknown> = {}, given = serviceProvider) {
  const configuration = {
    idpEntityId: 'urn:idp',
    ssoUrl: 'https://idp.example/sso',
    sloUrl: 'https://idp.example/slo',
    sloBinding: 'post',
    certificates: [certificate],
  }
  const parsed = parseConnection('saml', { ...configuration, ...more })
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error))
  return { connection: parsed.value as SamlConnection, serviceProvider: given, random: systemRandom() }
}
const nameId = { value: 'a<b&"c', format: undefined, nameQualifier: 'https://idp/"x"', spNameQualifier: 'urn:sp' }
const asking = (more = {}) => ({
  ...{ returnUrl: sloUrl, relayState: 'r', hint: undefined, now },
  idpSession: { nameId, sessionIndex: '_s<1', sid: undefined, subject: { issuer: 'urn:idp', sub: 'a' }, ...more },
})
const request = { kind: 'request', id: '_theirs', relayState: undefined, replayableUntil: now, nameId, sessionIndexes: [] } as const

test('every attribute of the NameID goes back as it came, whatever is in it', () => {
  const started = startSamlLogout(partyWith({ spEntityId: 'urn:us' }), asking())
  if (!started.ok || started.value === 'not_offered' || started.value.answer.kind !== 'form') throw new Error('no form')
  const xml = Buffer.from(started.value.answer.fields['SAMLRequest'] ?? '', 'base64').toString()
  expect(xml).toContain('<saml:NameID NameQualifier="https://idp/&quot;x&quot;" SPNameQualifier="urn:sp">a&lt;b&amp;"c</saml:NameID>')
  expect(xml).toContain('<samlp:SessionIndex>_s&lt;1</samlp:SessionIndex>')
  expect(xml).toContain('<saml:Issuer>urn:us</saml:Issuer>')
})

test('without SessionIndex none is sent; without a NameID or an address nothing is; without a key it is refused', () => {
  const bare = startSamlLogout(partyWith(), asking({ sessionIndex: undefined }))
  expect(JSON.stringify(bare)).not.toContain('SessionIndex')
  expect(startSamlLogout(partyWith(), asking({ nameId: undefined }))).toEqual({ ok: true, value: 'not_offered' })
  expect(startSamlLogout(partyWith({ sloUrl: undefined }), asking())).toEqual({ ok: true, value: 'not_offered' })
  expect(startSamlLogout(partyWith({}, noServiceProvider), asking())).toMatchObject({ ok: false, error: { reason: 'sp_key_missing' } })
})

test.each([{ issuer: 'urn:idp-of-before', sub: 'a' }, { issuer: 'urn:idp/', sub: 'a' }, undefined])(
  'no other IdP than the one that named her is told: %j',
  (subject) => {
    expect(startSamlLogout(partyWith(), asking({ subject }))).toMatchObject({ ok: false, error: { reason: 'idp_session_of_another' } })
  },
)

test('a logout of which not all has ended is answered as such', () => {
  const said = answerLogoutBySoap(partyWith(), { request, answer: 'incomplete', sloUrl, now })
  expect(said).toMatch(/status:Responder"><samlp:StatusCode Value="[^"]+:PartialLogout"\/><\/samlp:StatusCode>/)
  expect(said).not.toContain('Destination=')
})

test('an answer without RelayState has none, and there is no answer without an address or a key', () => {
  const answer = answerLogout(partyWith(), { request, answer: 'complete', sloUrl, now })
  expect(answer).toMatchObject({ kind: 'form', action: 'https://idp.example/slo', fields: { SAMLResponse: expect.any(String) } })
  expect(answer?.kind === 'form' && Object.keys(answer.fields)).toEqual(['SAMLResponse'])
  expect(answerLogout(partyWith({ sloUrl: undefined }), { request, answer: 'complete', sloUrl, now })).toBeUndefined()
  expect(answerLogout(partyWith({}, noServiceProvider), { request, answer: 'complete', sloUrl, now })).toBeUndefined()
})

test.each(['', 'not json', '{}', '{"requestId":"_other","sloUrl":"x"}'])('a state that is not ours is refused: %s', (state) => {
  const message = { binding: 'post', parameters: new Map() } as const
  expect(finishSamlLogout(partyWith(), message, { upstreamId: '_r', state: new Secret(state), now })).toMatchObject({
    ok: false,
    error: { reason: 'login_state_invalid' },
  })
})
