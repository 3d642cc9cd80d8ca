/** Which SAML assertions become a token: those that the issuer made for this token endpoint, once. */
import assert from 'node:assert/strict'
import { basic, type Parameters, post, type Requirement, refusedWith, type SamlChange, type Target } from './requirement.js'

const formOf = ({ resource, agent }: Target, assertion: string): Parameters => ({
  grant_type: 'urn:ietf:params:oauth:grant-type:saml2-bearer',
  assertion,
  resource,
  scope: agent.scope,
})

const refused: readonly [section: string, says: string, change: (target: Target) => SamlChange][] = [
  ['RFC 7522 §3 (1)', 'refuses an assertion of an issuer that it does not trust', () => ({ issuer: 'https://evil.example' })],
  ['RFC 7522 §3 (2)', 'refuses an assertion for another issuer', ({ otherIssuer }) => ({ audience: otherIssuer })],
  ['RFC 7522 §3 (5)', 'refuses an assertion for another recipient', ({ otherIssuer }) => ({ recipient: `${otherIssuer}/token` })],
  [
    'RFC 7522 §3 (5)',
    'refuses an assertion that was made for a login',
    ({ issuer }) => ({ recipient: `${issuer}/saml/acs`, inResponseTo: '_request' }),
  ],
  ['RFC 7522 §3 (6)', 'refuses an assertion that has ended', () => ({ lifetimeInSeconds: -600 })],
  ['RFC 7522 §3 (9)', 'refuses an assertion that nobody signed', () => ({ isUnsigned: true })],
  ['RFC 7522 §3 (11)', 'refuses an assertion whose name was changed', () => ({ written: (xml) => xml.replace('>ada<', '>root<') })],
  ['SAML Core §5.4', 'refuses an assertion that stands in another', () => ({ written: (xml) => inAnother(xml) })],
  ['RFC 7522 §2.1', 'refuses a response around an assertion', () => ({ written: (xml) => inResponse(xml) })],
]

const saml = 'xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"'
const inAnother = (xml: string): string => {
  const evil = xml
    .replace(/ID="[^"]+"/, 'ID="_evil"')
    .replace('>ada<', '>root<')
    .replace(/<Signature[\s\S]*<\/Signature>/, '')
  return evil.replace('</saml:Subject>', `</saml:Subject><saml:Advice ${saml}>${xml}</saml:Advice>`)
}
const inResponse = (xml: string): string =>
  `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ${saml}>${xml}</samlp:Response>`

export const samlBearerRequirements: readonly Requirement[] = [
  {
    section: 'RFC 7522 §2.1',
    level: 'MUST',
    says: 'gives a token for an assertion, and no refresh token',
    ask: async (target) => {
      const { status, json } = await post(`${target.issuer}/token`, formOf(target, await target.assertSaml({})), basic(target.agent))
      assert.equal(status, 200)
      assert.deepEqual([json['scope'], json['refresh_token']], [target.agent.scope, undefined])
    },
  },
  ...refused.map(
    ([section, says, change]): Requirement => ({
      section,
      level: 'MUST',
      says,
      ask: async (target) => {
        // Its neighbour is accepted, or the refusal would prove nothing.
        const good = await post(`${target.issuer}/token`, formOf(target, await target.assertSaml({})), basic(target.agent))
        assert.equal(good.status, 200)
        const bad = formOf(target, await target.assertSaml(change(target)))
        refusedWith(await post(`${target.issuer}/token`, bad, basic(target.agent)), ['invalid_grant'])
      },
    }),
  ),
  {
    section: 'RFC 7522 §3 (6)',
    level: 'MUST NOT',
    says: 'redeems an assertion twice',
    ask: async (target) => {
      const form = formOf(target, await target.assertSaml({}))
      assert.equal((await post(`${target.issuer}/token`, form, basic(target.agent))).status, 200)
      refusedWith(await post(`${target.issuer}/token`, form, basic(target.agent)), ['invalid_grant'])
    },
  },
  {
    section: 'RFC 7522 §2.1',
    level: 'MUST',
    says: 'takes base64url in one line without padding alone',
    ask: async (target) => {
      const assertion = await target.assertSaml({})
      const other = [`${assertion}=`, `${assertion.slice(0, 64)}\n${assertion.slice(64)}`, Buffer.from(assertion, 'base64url').toString()]
      for (const each of other)
        refusedWith(await post(`${target.issuer}/token`, formOf(target, each), basic(target.agent)), ['invalid_request', 'invalid_grant'])
      assert.equal((await post(`${target.issuer}/token`, formOf(target, assertion), basic(target.agent))).status, 200)
    },
  },
  {
    section: 'RFC 7522 §3',
    level: 'MUST',
    says: 'says that it accepts SAML assertions, and not whose',
    ask: async ({ issuer }) => {
      const response = await fetch(`${issuer}/.well-known/oauth-authorization-server`)
      const document = (await response.json()) as Readonly<Record<string, unknown>>
      const types = document['grant_types_supported']
      assert.ok(Array.isArray(types) && types.includes('urn:ietf:params:oauth:grant-type:saml2-bearer'))
      assert.ok(!JSON.stringify(document).includes('assertions.example'), 'the metadata names an issuer that is trusted')
    },
  },
]
